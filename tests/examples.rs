//! The examples do what their readers will see: each is run, and what it prints is looked at.
#![expect(clippy::panic, reason = "a test that fails says what was printed")]

use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Every example, with pieces of what it prints, in their order.
macro_rules! examples {
    ($($name:ident: [$($piece:literal),+ $(,)?];)+) => {
        const EXAMPLES: &[&str] = &[$(stringify!($name)),+];
        $(
            #[test]
            fn $name() {
                expect(stringify!($name), &[$($piece),+]);
            }
        )+
    };
}

examples! {
    baggage: [
        "gate sees\n  user-id = \"4711\", as Some(\"4711\")\n",
        "  test-run = \"friday 17:00 ☂\", as Some(\"friday%2017%3A00%20%E2%98%82\")\nshop sees\n",
        "\nstock sees\n  user-id = \"4711\"",
        "  cart = \"3\", as Some(\"3\")\n",
    ];
    grpc: [
        "Hello, Ada!\nNotFound: nobody is there\n",
        "2 services  depth 3  5 spans  1 error\n",
        "\nguest     \\ /greeter.Greeter/Greet",
        "\ngreeter    \\ /greeter.Greeter/Greet",
        "\nguest     \\ /greeter.Greeter/Greet",
        "ms nobody is there\n",
        "\ngreeter    \\ /greeter.Greeter/Greet",
        "(received 5, dropped 0)\n",
    ];
    hello: ["Hello, Ada!\n", "trace ", "finished 1, "];
    http: [
        "on the shelf behind the teapots\n",
        "look_for_book  trace ",
        "3 services  depth 5  5 spans\n",
        "\nreader   look_for_book",
        "\nreader    \\ HTTP GET",
        "\nlibrary    \\ GET /books/{id}",
        "\nlibrary     \\ HTTP GET",
        "\nshelves      \\ GET /shelves/{id}",
        "(received 5, dropped 0)\n",
    ];
    quickstart: [
        "Welcome to the teapot shop!",
        "\n1. Ada ",
        "POST /orders/ada -> 200 OK: 3 items, paid\n",
        "\nPOST /orders/{customer}  trace ",
        "3 services  depth 5  8 spans\n",
        "\nshop  POST /orders/{customer}",
        "\nshop   \\ HTTP GET",
        "\ncart    \\ GET /cart/{customer}",
        "\ncart     \\ query_items",
        "\nshop   \\ charge",
        "\nshop    \\ /pay.Payments/Charge",
        "\npay      \\ /pay.Payments/Charge",
        "\npay       \\ ask_bank",
        "\n2. Bob's ",
        "POST /orders/bob -> 502 Bad Gateway: bank on strike\n",
        "3 services  depth 5  8 spans  5 errors\n",
        "\npay       \\ ask_bank",
        "ms bank on strike\n",
        "\n3. Carol ",
        "POST /orders/carol -> 200 OK: 40000 items, paid\n",
        "3 services  depth 5  8 spans\n",
        "\nspans: sent 24, dropped 0\n",
    ];
    testing: [
        "ok: a check-out charges and reserves\n",
        "ok: a bad amount fails the charge and the check-out\n",
        "ok: a span lasts as long as its work",
        "ok: a trace that is not sampled leaves nothing\n",
    ];
    koala: [
        "keeper: ",
    ];
    function: [
        "Hello, Ada!",
        "Hello, Grace!",
        "\nsay_hello\n  format_greeting\n  print_greeting\n",
        "say_hello_later\n  format_greeting\n  look_up\n  print_greeting\n",
    ];
}

#[test]
fn no_example_goes_without_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the folder of the examples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_owned())
        .collect();
    names.sort();
    let mut tested = EXAMPLES.to_vec();
    tested.sort_unstable();
    assert_eq!(names, tested);
}

/// Runs an example and looks for `pieces` in what it prints.
#[track_caller]
fn expect(name: &str, pieces: &[&str]) {
    let printed = run(name);
    let mut rest = printed.as_str();
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => panic!("{name} did not print {piece:?} where it should:\n{printed}"),
        }
    }
}

/// Runs an example with an empty environment and returns its standard output.
#[track_caller]
fn run(name: &str) -> String {
    let program = program(name);
    let mut child = Command::new(&program)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: {HOW_TO_BUILD}", program.display()));
    let stdout = read(child.stdout.take().expect("piped"));
    let stderr = read(child.stderr.take().expect("piped"));
    // Both ends are closed when the program ends.
    let Ok(printed) = stdout.recv_timeout(TIMEOUT) else {
        child.kill().expect("it is our child");
        panic!("{name} still runs after {TIMEOUT:?}");
    };
    let status = child.wait().expect("it is our child");
    let complaints = stderr.recv_timeout(TIMEOUT).unwrap_or_default();
    assert!(
        status.success(),
        "{name}: {status}\n{printed}\n{complaints}"
    );
    assert!(!complaints.contains("panicked"), "{name}: {complaints}");
    printed
}

fn read(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || -> io::Result<()> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        Ok(())
    });
    receiver
}

/// This test is `target/{profile}/deps/examples-{hash}`; the examples are two folders away.
fn program(name: &str) -> PathBuf {
    let this = env::current_exe().expect("the path of this test");
    let profile = this.ancestors().nth(2).expect("tests are two folders deep");
    profile
        .join("examples")
        .join(name.to_owned() + env::consts::EXE_SUFFIX)
}

const TIMEOUT: Duration = Duration::from_secs(60);
const HOW_TO_BUILD: &str =
    "`cargo test` builds the examples, `cargo test --test examples` does not";
