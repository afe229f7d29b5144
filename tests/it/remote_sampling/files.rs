//! The file in which a strategy outlives its program.

use std::fs;
use std::path::PathBuf;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("tracehound-it-{}-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn scene(&self) -> Scene {
        let file = self.0.join("strategy.json");
        Scene::with(move |sampler| sampler.file(file))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_last_good_strategy_outlives_the_program() {
    let folder = Folder::new("outlives");
    let first = folder.scene();
    assert!(first.kept(100) < 100, "no file yet");
    first.fetch(Ok(&probabilistic(1.0)));
    first.fetch(Ok(&by_operation(0.0, &[("checkout", 1.0)])));
    first.fetch(Ok("rubbish"));
    first.tracer.close(LONG);

    let second = folder.scene();
    assert_eq!(second.kept(10), 10, "from the first trace on");
    assert_eq!(second.kept_of("other", 10), 0);
    assert!(format!("{:?}", second.state).contains("the file of an earlier run"));
    assert!(
        second.lines()[0].starts_with("sampling begins as "),
        "{:?}",
        second.lines()
    );
    second.fetch(Err("no agent"));
    assert_eq!(second.kept(10), 10, "and until there is a reply");
    second.fetch(Ok(&by_operation(0.0, &[("checkout", 1.0)])));
    assert_eq!(second.counts(), [1, 1, 0, 0], "the reply changes nothing");
    assert!(format!("{:?}", second.state).contains(r#"told_by: "the test""#));
}

#[test]
fn a_file_that_is_no_strategy_is_told_of_and_replaced() {
    let folder = Folder::new("foreign");
    let path = folder.0.join("strategy.json");
    fs::write(&path, "x".repeat(100)).unwrap();
    let scene = folder.scene();
    assert!(scene.kept(100) < 100);
    let lines = scene.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("is not used: it is no strategy"),
        "{lines:?}"
    );
    scene.fetch(Ok(&probabilistic(0.5)));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        r#"{"service":"shop","strategy":{"probabilisticSampling":{"samplingRate":0.5}}}"#
    );
}

#[test]
fn a_folder_that_is_missing_is_told_of_once() {
    let folder = Folder::new("missing");
    fs::remove_dir_all(&folder.0).unwrap();
    let scene = folder.scene();
    scene.fetch(Ok(&probabilistic(1.0)));
    scene.fetch(Ok(&limiting(5.0)));
    let lines = scene.lines();
    let about = |line: &&String| line.contains("cannot be kept");
    assert_eq!(lines.iter().filter(about).count(), 1, "{lines:?}");
    assert_eq!(scene.kept(10), 5, "the strategy counts all the same");
}
