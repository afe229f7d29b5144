use sqlx::{Acquire, SqlitePool};
use tracehound::middleware::Database;

/// Counts the orders. The pool goes through `orders` where sqlx takes an executor.
pub(crate) async fn count_orders(orders: &Database, pool: &SqlitePool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM orders")
        .fetch_one(orders.pool(pool)) // span: `SELECT`
        .await
}

/// Adds an order and takes a box from the stock, or does neither.
pub(crate) async fn add_order(
    orders: &Database,
    pool: &SqlitePool,
    tea: &str,
) -> sqlx::Result<i64> {
    let mut transaction = orders.pool(pool).begin().await?; // span: `BEGIN`
    let id = sqlx::query_scalar("INSERT INTO orders (tea) VALUES (?) RETURNING id")
        .bind(tea)
        .fetch_one(orders.executor(&mut *transaction)) // span: `INSERT`
        .await?;
    sqlx::query("UPDATE stock SET boxes = boxes - 1 WHERE tea = ?")
        .bind(tea)
        .execute(orders.executor(&mut *transaction)) // span: `UPDATE`
        .await?;
    orders.operation("COMMIT").run(transaction.commit()).await?;
    Ok(id)
}
