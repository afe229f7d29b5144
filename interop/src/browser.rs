use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Error, environment, http::Client, poll};

/// A running Chromium, driven by the WebDriver protocol of the W3C.
///
/// It has a profile of its own, asks nobody but the pages that it is sent to, and ends when this value is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: SocketAddr,
    /// The address of the commands: `/session/{id}`.
    session: String,
    client: Client,
    child: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts the machine's Chromium, without a window.
    ///
    /// # Errors
    ///
    /// [`Error::NoTools`] if the machine has no `chromium` or no `chromedriver`; [`Error::Service`] if one of them
    /// does not start within 60 s.
    pub fn start() -> Result<Self, Error> {
        for tool in [BROWSER, DRIVER] {
            let there = Command::new(tool)
                .arg("--version")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if !there.is_ok_and(|status| status.success()) {
                return Err(Error::NoTools {
                    what: "a browser".to_owned(),
                    tool: format!("{tool} --version"),
                });
            }
        }
        let starting = || format!("starting {DRIVER}");
        let profile = tempfile::tempdir().map_err(Error::io(starting()))?;
        let mut child = Command::new(DRIVER)
            .arg("--port=0")
            .env_clear()
            .envs(environment::passed_on())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io(starting()))?;
        let Some(port) = port(&mut child) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed("says no port".to_owned()));
        };
        let mut browser = Self {
            driver: (Ipv4Addr::LOCALHOST, port).into(),
            session: String::new(),
            client: Client::new(),
            child,
            _profile: profile,
        };
        let open = || browser.open();
        let session = poll(Duration::from_secs(60), Duration::from_millis(100), open)?;
        browser.session = format!("/session/{session}");
        Ok(browser)
    }

    /// Starts Chromium, or says that the running test is skipped and returns `None` if the machine has none.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); [`Error::NoTools`] only if [`REQUIRED`](crate::REQUIRED) is `1`.
    pub fn start_or_skip() -> Result<Option<Self>, Error> {
        match Self::start() {
            Err(error) if error.is_missing_tools() && !environment::is_required() => {
                environment::skipped(error.to_string());
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// Goes to an address and waits until its page is loaded.
    ///
    /// # Errors
    ///
    /// Fails if the browser does.
    pub fn go(&self, url: &str) -> Result<(), Error> {
        self.command("/url", &json!({"url": url})).map(drop)
    }

    /// Runs the body of a function in the page, and returns what it returns. The page's policy does not bind it.
    ///
    /// # Errors
    ///
    /// Fails if the function throws, or the browser fails.
    pub fn run(&self, body: &str, arguments: &[Value]) -> Result<Value, Error> {
        self.command("/execute/sync", &json!({"script": body, "args": arguments}))
    }

    /// Presses keys, one after the other. `+` joins keys that are held together: `Shift+ArrowLeft`.
    ///
    /// # Errors
    ///
    /// Fails if the browser does.
    pub fn press(&self, keys: &[&str]) -> Result<(), Error> {
        let mut actions = Vec::new();
        for key in keys {
            let held: Vec<&str> = match *key {
                "+" => vec!["+"],
                key => key.split('+').collect(),
            };
            let held: Vec<String> = held.into_iter().map(code).collect();
            let down = held
                .iter()
                .map(|key| json!({"type": "keyDown", "value": key}));
            let up = held.iter().rev();
            let up = up.map(|key| json!({"type": "keyUp", "value": key}));
            actions.extend(down.chain(up));
        }
        let source = json!({"type": "key", "id": "keys", "actions": actions});
        self.command("/actions", &json!({"actions": [source]}))
            .map(drop)
    }

    /// Drags with the mouse from one place of the page to another. Places are pixels from the left and the top.
    ///
    /// # Errors
    ///
    /// Fails if the browser does.
    pub fn drag(&self, from: (i64, i64), to: (i64, i64)) -> Result<(), Error> {
        let go =
            |(x, y): (i64, i64)| json!({"type": "pointerMove", "duration": 20, "x": x, "y": y});
        let button = |way: &str| json!({"type": way, "button": 0});
        let actions = [go(from), button("pointerDown"), go(to), button("pointerUp")];
        let mouse = json!({"pointerType": "mouse"});
        let source =
            json!({"type": "pointer", "id": "mouse", "parameters": mouse, "actions": actions});
        self.command("/actions", &json!({"actions": [source]}))
            .map(drop)
    }

    /// Sets the size of the page, and whether the system asks for dark colours.
    ///
    /// # Errors
    ///
    /// Fails if the browser does.
    pub fn look(&self, width: u32, height: u32, is_dark: bool) -> Result<(), Error> {
        let scheme = if is_dark { "dark" } else { "light" };
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)?;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features)
    }

    /// Returns what the page has written to the console since the last call, violations of its policy included.
    ///
    /// # Errors
    ///
    /// Fails if the browser does.
    pub fn console(&self) -> Result<Vec<String>, Error> {
        let lines = self.command("/se/log", &json!({"type": "browser"}))?;
        let lines = lines.as_array().cloned().unwrap_or_default();
        Ok(lines
            .iter()
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    fn devtools(&self, name: &str, parameters: &Value) -> Result<(), Error> {
        let command = json!({"cmd": name, "params": parameters});
        self.command("/goog/cdp/execute", &command).map(drop)
    }

    /// Opens the browser, and returns the id of the session.
    fn open(&self) -> Result<String, Error> {
        let arguments = [
            "--headless=new",
            // The sandbox needs rights that a container does not give. The pages are our own.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", self._profile.path().display()),
        ];
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": BINARY, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let capabilities = json!({"capabilities": {"alwaysMatch": wanted}});
        let value = self.send("/session", &capabilities)?;
        match value["sessionId"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Err(failed(format!("opens no session: {value}"))),
        }
    }

    fn command(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.send(&format!("{}{path}", self.session), body)
    }

    fn send(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let body = body.to_string();
        let content_type = "application/json; charset=utf-8";
        let answer = self
            .client
            .post(self.driver, path, content_type, body.as_bytes())?
            .success()?;
        let mut answer: Value = serde_json::from_str(&answer)
            .map_err(|error| failed(format!("answers no JSON: {error}")))?;
        Ok(answer["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browsers, and then itself. Killed, it would leave them behind.
        let _ = self.client.get(self.driver, "/shutdown");
        let has_ended = || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            _ => Err(()),
        };
        let within = Duration::from_secs(10);
        if poll(within, Duration::from_millis(20), has_ended).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads the port from the driver's output: `ChromeDriver was started successfully on port 40123.`
fn port(child: &mut Child) -> Option<u16> {
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    // The thread ends with the driver, whose output must be read to its end.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The line before this one names the port that was asked for.
            let port = line.rsplit_once("successfully on port ");
            let port = port.and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
            if let Some(port) = port {
                let _ = sender.send(port);
            }
        }
    });
    receiver.recv_timeout(Duration::from_secs(60)).ok()
}

/// Returns a key as the protocol names it.
fn code(key: &str) -> String {
    let special = match key {
        "Shift" => '\u{e008}',
        "Control" => '\u{e009}',
        "Tab" => '\u{e004}',
        "Enter" => '\u{e007}',
        "Escape" => '\u{e00c}',
        "End" => '\u{e010}',
        "Home" => '\u{e011}',
        "ArrowLeft" => '\u{e012}',
        "ArrowUp" => '\u{e013}',
        "ArrowRight" => '\u{e014}',
        "ArrowDown" => '\u{e015}',
        other => return other.to_owned(),
    };
    special.to_string()
}

fn failed(reason: String) -> Error {
    Error::Service {
        name: DRIVER.to_owned(),
        reason,
        tail: String::new(),
    }
}

const BROWSER: &str = "chromium";
const BINARY: &str = "/usr/bin/chromium";
const DRIVER: &str = "chromedriver";
