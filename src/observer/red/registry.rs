//! The series of all threads, by which they are read.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::observer::ObservedSpan;
use crate::observer::red::bounds::Bounds;
use crate::observer::red::series::{Key, Series, Totals};

/// The counts of one process: the series of its threads, and the totals of threads that have ended.
#[derive(Debug, Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
    /// All names, once there are as many as may be.
    full: OnceLock<HashSet<Arc<str>>>,
}

#[derive(Debug, Default)]
struct Inner {
    names: HashSet<Arc<str>>,
    threads: Vec<Arc<ThreadSeries>>,
    /// The counts of threads that have ended.
    retired: BTreeMap<Key, Totals>,
    /// The series for spans that end while their thread is torn down. The lock guards them.
    homeless: BTreeMap<Key, Series>,
}

/// The series of one thread.
#[derive(Debug, Default)]
pub(super) struct ThreadSeries(Mutex<Vec<Arc<Series>>>);

impl ThreadSeries {
    pub(super) fn add(&self, series: Arc<Series>) {
        self.lock().push(series);
    }

    fn add_to(&self, totals: &mut BTreeMap<Key, Totals>) {
        for series in &*self.lock() {
            series.add_to(totals.entry(series.key.clone()).or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Series>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Admits a name, unless it is one too many. An admitted name stays.
    pub(super) fn admit(&self, name: &str, most: usize) -> Option<Arc<str>> {
        // Without the lock, so that callers who make up names do not make all threads wait for one.
        if let Some(all) = self.full.get() {
            return all.get(name).cloned();
        }
        let mut inner = self.lock();
        if let Some(known) = inner.names.get(name) {
            return Some(known.clone());
        }
        let admitted = (inner.names.len() < most).then(|| Arc::<str>::from(name));
        inner.names.extend(admitted.clone());
        if inner.names.len() >= most {
            let _ = self.full.set(inner.names.clone());
        }
        admitted
    }

    pub(super) fn add_thread(&self, series: Arc<ThreadSeries>) {
        self.lock().threads.push(series);
    }

    /// Moves the counts of a thread that ends to those that are kept.
    pub(super) fn retire(&self, ended: &Arc<ThreadSeries>) {
        let mut inner = self.lock();
        let known = inner.threads.iter().position(|it| Arc::ptr_eq(it, ended));
        if let Some(at) = known {
            let ended = inner.threads.swap_remove(at);
            ended.add_to(&mut inner.retired);
        }
    }

    /// Counts a span whose thread is torn down.
    pub(super) fn count_homeless(&self, key: Key, span: &ObservedSpan<'_>, bounds: &Bounds) {
        let mut inner = self.lock();
        let series = inner.homeless.entry(key.clone());
        let series = series.or_insert_with(|| Series::new(key, bounds));
        series.count(span, bounds);
    }

    /// Returns the totals of all threads.
    pub(super) fn totals(&self) -> BTreeMap<Key, Totals> {
        // Under the lock, so that a thread that ends meanwhile is counted exactly once.
        let inner = self.lock();
        let mut totals = inner.retired.clone();
        for thread in &inner.threads {
            thread.add_to(&mut totals);
        }
        for (key, series) in &inner.homeless {
            series.add_to(totals.entry(key.clone()).or_default());
        }
        totals
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
