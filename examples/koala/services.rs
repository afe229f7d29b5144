//! The services themselves. They know nothing of the chains.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use log::info;
use tracehound::middleware::Database;

use crate::chain::{Reply, Service};

/// Notes its meals in a database, and orders leaves.
pub(crate) struct Koala {
    database: Database,
    /// Stands for the table.
    meals: Mutex<Vec<(String, usize)>>,
    garden: Arc<dyn Service>,
}

impl Koala {
    pub(crate) fn new(database: Database, garden: Arc<dyn Service>) -> Self {
        Self {
            database,
            meals: Mutex::default(),
            garden,
        }
    }

    /// Calls the database, by a driver that blocks.
    fn note(&self, meal: &str, leaves: usize) -> Result<(), Infallible> {
        let insert = "INSERT INTO meals (name, leaves) VALUES ($1, $2)";
        self.database.statement(insert).run_blocking(|| {
            let mut meals = self.meals.lock().unwrap_or_else(PoisonError::into_inner);
            meals.push((meal.to_owned(), leaves));
            Ok(())
        })
    }
}

#[async_trait]
impl Service for Koala {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        let Some((_, meal)) = request.uri().path().rsplit_once('/') else {
            return Ok(status(StatusCode::NOT_FOUND));
        };
        self.note(meal, request.body().len())?;
        info!("{meal} was good");
        let order = Request::post("/leaves").body(request.into_body())?;
        self.garden.call(order).await?;
        Ok(Response::new(Bytes::from("burp")))
    }
}

/// Grows leaves.
pub(crate) struct Gardener;

#[async_trait]
impl Service for Gardener {
    async fn call(&self, message: Request<Bytes>) -> Reply {
        info!("{} more leaves, please", message.body().len());
        Ok(status(StatusCode::OK))
    }
}

fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
