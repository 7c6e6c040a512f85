//! The window's page, driven over WebDriver as a person would: by what can be seen and clicked.
//!
//! The app is not started by the driver: it runs already, and lets itself be driven because the test started it so.

use std::time::Duration;

use postern_testkit::{Process, debian};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::desktop::Desktop;
use postern_testkit::{TIMEOUT, eventually_async};

/// How long a session may take to begin before it is tried once more with a fresh driver.
const SESSION: Duration = Duration::from_secs(15);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A page that is driven.
pub struct Page {
    _driver: Process,
    port: u16,
    session: String,
}

impl Page {
    /// Begins to drive the page of the app whose inspector is at `inspector`, and waits until it is ready.
    pub async fn attach(desktop: &Desktop, inspector: u16) -> Self {
        let page = match timeout(SESSION, Self::begin(desktop, inspector)).await {
            Ok(Ok(page)) => page,
            failed => {
                eprintln!("the WebDriver session did not begin ({:?}); once more", failed.map(|begun| begun.err()));
                Self::begin(desktop, inspector).await.unwrap()
            }
        };
        eventually_async("the page to be ready", TIMEOUT, || async {
            page.evaluate("return document.body && document.body.dataset.ready || null").await?.as_str().map(drop)
        })
        .await;
        page
    }

    async fn begin(desktop: &Desktop, inspector: u16) -> Result<Self, String> {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        drop(listener);
        let mut command = desktop.with_environment(debian::command("WebKitWebDriver"));
        command.arg(format!("--port={port}")).arg(format!("--target=127.0.0.1:{inspector}"));
        let driver = Process::spawn(&mut command);
        eventually_async("the driver", TIMEOUT, || async { TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        let wanted = json!({ "capabilities": { "alwaysMatch": {} } });
        let begun = call(port, "POST", "/session", Some(&wanted)).await?;
        let session = begun["sessionId"].as_str().ok_or_else(|| format!("no session: {begun}"))?.to_owned();
        Ok(Self { _driver: driver, port, session })
    }

    /// Clicks on what `selector` finds, as soon as it can be clicked.
    pub async fn click(&self, selector: &str) {
        eventually_async(&format!("{selector} to be clicked"), TIMEOUT, || async {
            let element = self.find(selector).await?;
            self.post(&format!("element/{element}/click"), json!({})).await.ok()
        })
        .await;
    }

    /// Replaces what is in the field that `selector` finds; again, if keys were lost.
    pub async fn fill(&self, selector: &str, text: &str) {
        eventually_async(&format!("{selector} to be filled"), TIMEOUT, || async {
            let element = self.find(selector).await?;
            self.post(&format!("element/{element}/clear"), json!({})).await.ok()?;
            self.post(&format!("element/{element}/value"), json!({ "text": text })).await.ok()?;
            (self.get(&format!("element/{element}/property/value")).await? == text).then_some(())
        })
        .await;
    }

    /// Waits until `selector` finds something, and gives its text.
    pub async fn text(&self, selector: &str) -> String {
        eventually_async(selector, TIMEOUT, || async {
            let element = self.find(selector).await?;
            self.get(&format!("element/{element}/text")).await?.as_str().map(Into::into)
        })
        .await
    }

    /// Waits until `selector` finds something, seen or not.
    pub async fn wait_for(&self, selector: &str) {
        eventually_async(selector, TIMEOUT, || self.find(selector)).await;
    }

    /// Waits until `selector` finds nothing.
    pub async fn wait_until_gone(&self, selector: &str) {
        let gone = || async {
            let found = self.evaluate(&format!("return document.querySelectorAll({}).length", json!(selector))).await?;
            (found == 0).then_some(())
        };
        eventually_async(&format!("{selector} to be gone"), TIMEOUT, gone).await;
    }

    /// What a piece of JavaScript returns; nothing if it fails.
    pub async fn evaluate(&self, script: &str) -> Option<Value> {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await.ok()
    }

    /// A picture of the page, as PNG in base64.
    pub async fn picture(&self) -> String {
        eventually_async("a picture", TIMEOUT, || async { self.get("screenshot").await?.as_str().map(Into::into) })
            .await
    }

    async fn find(&self, selector: &str) -> Option<String> {
        let found = self.post("element", json!({ "using": "css selector", "value": selector })).await.ok()?;
        found[ELEMENT].as_str().map(Into::into)
    }

    async fn get(&self, what: &str) -> Option<Value> {
        call(self.port, "GET", &format!("/session/{}/{what}", self.session), None).await.ok()
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value, String> {
        call(self.port, "POST", &format!("/session/{}/{what}", self.session), Some(&body)).await
    }
}

/// One call of the driver's HTTP interface, on a connection of its own.
async fn call(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let asked = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let exchanged = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(asked.as_bytes()).await?;
        read_answer(&mut stream).await
    };
    let answer = timeout(TIMEOUT, exchanged).await.map_err(|_| "the driver is silent")?;
    let answer = answer.map_err(|error| error.to_string())?;
    let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", value["message"])),
        None => Ok(value),
    }
}

async fn read_answer(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if length.is_some_and(|length: usize| bytes.len() >= head + 4 + length) {
                return Ok(bytes.split_off(head + 4));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
