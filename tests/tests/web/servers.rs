//! Development servers that people share, as they are: each checks `Host` or `Origin` in its own way.

use std::path::Path;
use std::process::Command;

use super::browser::Browser;
use super::shared;
use postern_testkit::port::{free_port, loopback};
use postern_testkit::{Hub, Person, Process, TIMEOUT, eventually, temp_dir};

/// Runs a server until it accepts connections, and shares it: its address at a friend's.
fn start_and_share(command: &mut Command, port: u16, name: &str) -> (Process, Hub, [Person; 2], String) {
    let server = Process::spawn(command);
    eventually("the server", TIMEOUT, || {
        assert!(server.ended().is_none(), "{}{}", server.stdout(), server.stderr());
        std::net::TcpStream::connect(loopback(port)).ok()
    });
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let url = shared(&ann, &ben, port, name);
    (server, hub, [ann, ben], url)
}

/// Debian's Python, for which its modules are, whatever stands before it in PATH.
fn python() -> Command {
    Command::new("/usr/bin/python3")
}

#[test]
fn jupyter_works_in_a_browser() {
    let (port, home) = (free_port(), temp_dir());
    let mut command = python();
    command.args(["-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1"]);
    command.arg(format!("--port={port}")).args(["--ServerApp.token=secret", "--ServerApp.port_retries=0"]);
    command.current_dir(home.path()).env("HOME", home.path());
    let (_server, _hub, _people, url) = start_and_share(&mut command, port, "lab");
    let browser = Browser::start();
    let tab = browser.open(&format!("{url}?token=secret"));
    // It accepts `localhost` only, and what changes something needs its cookie and an equal origin.
    assert_eq!(tab.evaluate("fetch('/api/status').then(it => it.status)"), "200");
    let post = |path: &str, body: &str, result: &str| {
        let token = "document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? ''";
        tab.evaluate(&format!(
            "fetch('{path}', {{method: 'POST', headers: {{'X-XSRFToken': {token}}}, body: '{body}'}}).then({result})"
        ))
    };
    assert_eq!(post("/api/contents", r#"{"type": "file"}"#, "it => it.status"), "201");
    // Its WebSockets, here that of a terminal, check the origin.
    let terminal = post("/api/terminals", "", "it => it.json().then(it => it.name)");
    let open = format!(
        "new Promise(done => {{ const it = new WebSocket(location.origin.replace(/^http/, 'ws') + \
         '/terminals/websocket/{terminal}'); it.onopen = () => done('open'); it.onerror = () => done('refused') }})"
    );
    assert_eq!(tab.evaluate(&open), "open");
}

#[test]
fn django_works_in_a_browser() {
    let (port, home) = (free_port(), temp_dir());
    let page = r#"
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.template import Context, Engine
from django.middleware.csrf import get_token
from django.urls import path

settings.configure(
    DEBUG=True, SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
)

def page(request):
    if request.method == "POST":
        return HttpResponse("posted " + request.POST["text"] + " to " + request.get_host())
    form = '<form method=post><input type=hidden name=csrfmiddlewaretoken value="%s"><input name=text value=hello></form>'
    return HttpResponse(form % get_token(request))

urlpatterns = [path("", page)]
execute_from_command_line([sys.argv[0], "runserver", "--noreload", "127.0.0.1:" + sys.argv[1]])
"#;
    std::fs::write(home.path().join("site.py"), page).unwrap();
    let mut command = python();
    command.arg(home.path().join("site.py")).arg(port.to_string());
    let (_server, _hub, _people, url) = start_and_share(&mut command, port, "django");
    let browser = Browser::start();
    let tab = browser.open(&url);
    tab.evaluate("setTimeout(() => document.forms[0].submit())");
    let answer = tab.wait_until("document.body.innerText.includes('to ') ? document.body.innerText : ''");
    assert!(answer.starts_with("posted hello to localhost:"), "{answer}");
}

#[test]
fn vite_works_in_a_browser_and_replaces_a_changed_module() {
    let vite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/node_modules/vite/bin/vite.js");
    if !vite.is_file() {
        return eprintln!("Vite is not installed: `npm ci` in ui installs it");
    }
    let (port, home) = (free_port(), temp_dir());
    let write = |file: &str, text: &str| std::fs::write(home.path().join(file), text).unwrap();
    write("index.html", "<!doctype html><p id=said></p><script type=module src=/main.js></script>");
    write(
        "main.js",
        "import { said } from './said.js';\nconst show = it => document.getElementById('said').textContent = it;\n\
                      show(said);\nimport.meta.hot.accept('./said.js', it => show(it.said));",
    );
    write("said.js", "export const said = 'first';");
    let mut command = postern_testkit::debian::command("node");
    command.arg(&vite).arg(home.path()).args(["--host", "127.0.0.1", "--strictPort", "--port", &port.to_string()]);
    let (_server, _hub, _people, url) = start_and_share(&mut command, port, "site");
    let browser = Browser::start();
    let tab = browser.open(&url);
    let said = |text: &str| format!("document.getElementById('said')?.textContent == '{text}' ? 'yes' : ''");
    tab.wait_until(&said("first"));
    // It tells the page over a WebSocket.
    tab.evaluate("window.same = 'page'");
    write("said.js", "export const said = 'second';");
    tab.wait_until(&said("second"));
    assert_eq!(tab.evaluate("window.same"), "page", "it was not loaded again");
}
