//! A real browser: headless Chromium, driven over the DevTools protocol.

use std::cell::{Cell, RefCell};
use std::net::TcpStream;

use postern_testkit::client::connect;
use postern_testkit::{Process, TIMEOUT, debian, temp_dir};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// A running browser with an empty profile, for which `evil.example` and `other.example` are this machine.
pub(super) struct Browser {
    socket: RefCell<WebSocket<TcpStream>>,
    next: Cell<u64>,
    _process: Process,
    _profile: TempDir,
}

/// A tab of the browser.
pub(super) struct Tab<'a> {
    browser: &'a Browser,
    session: String,
}

impl Browser {
    pub(super) fn start() -> Self {
        let profile = temp_dir();
        let mut command = debian::command("chromium");
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--remote-debugging-port=0",
            "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP other.example 127.0.0.1",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let process = Process::spawn(&mut command);
        let listening = process.wait_for_line(|line| line.starts_with("DevTools listening on ws://"), TIMEOUT);
        let url = listening.rsplit(' ').next().unwrap().to_owned();
        let address = url.trim_start_matches("ws://").split('/').next().unwrap().parse().unwrap();
        let (socket, _) = tungstenite::client(url, connect(address)).unwrap();
        Self { socket: RefCell::new(socket), next: Cell::new(0), _process: process, _profile: profile }
    }

    /// Opens a page as somebody does who types its address.
    pub(super) fn open(&self, url: &str) -> Tab<'_> {
        let target = self.call(None, "Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call(None, "Target.attachToTarget", &attach);
        let tab = Tab { browser: self, session: attached["sessionId"].as_str().unwrap().to_owned() };
        tab.go(url);
        tab
    }

    fn call(&self, session: Option<&str>, method: &str, parameters: &Value) -> Value {
        self.try_call(session, method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The result of a method, or the error that the browser answers with.
    fn try_call(&self, session: Option<&str>, method: &str, parameters: &Value) -> Result<Value, Value> {
        let id = self.next.get() + 1;
        self.next.set(id);
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut socket = self.socket.borrow_mut();
        socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = socket.read().unwrap() else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == id {
                return match answer["error"].take() {
                    Value::Null => Ok(answer["result"].take()),
                    error => Err(error),
                };
            }
        }
    }
}

impl Tab<'_> {
    fn call(&self, method: &str, parameters: &Value) -> Value {
        self.browser.call(Some(&self.session), method, parameters)
    }

    /// The browser that it is a tab of.
    pub(super) fn browser(&self) -> &Browser {
        self.browser
    }

    /// Opens another page in it.
    pub(super) fn go(&self, url: &str) {
        self.call("Page.navigate", &json!({"url": url}));
        self.wait_until(&format!("location.href != 'about:blank' && document.readyState == 'complete' ? '{url}' : ''"));
    }

    /// What JavaScript gives as a text; waited for if it is a promise. A promise that fails gives its error, and a page that
    /// gives way to another before it has answered an empty text.
    pub(super) fn evaluate(&self, script: &str) -> String {
        let parameters = json!({
            "expression": format!("(async () => String(await ({script})))().catch(String)"),
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let result = match self.browser.try_call(Some(&self.session), "Runtime.evaluate", &parameters) {
            Ok(result) => result,
            Err(error) if error["message"] == "Inspected target navigated or closed" => return String::new(),
            Err(error) => panic!("{script}: {error}"),
        };
        result["result"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until JavaScript gives a text that is not empty.
    pub(super) fn wait_until(&self, script: &str) -> String {
        let found = || Some(self.evaluate(script)).filter(|it| !it.is_empty() && !it.contains("Error"));
        postern_testkit::eventually(script, TIMEOUT, found)
    }

    /// The text that the page shows.
    pub(super) fn text(&self) -> String {
        self.wait_until("document.readyState == 'complete' && document.body ? document.body.innerText || ' ' : ''")
    }
}
