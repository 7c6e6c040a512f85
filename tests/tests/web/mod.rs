//! Web portals in a real browser, and with the development servers that people share.

mod browser;
mod join_page;
mod servers;
mod unavailable;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex};

use browser::{Browser, Tab};
use postern_testkit::json::{find, text};
use postern_testkit::port::{free_port, loopback};
use postern_testkit::{Hub, Person, Process, Service, TIMEOUT, debian, eventually};

/// One request, as a web server saw it.
#[derive(Debug, Clone)]
struct Request {
    line: String,
    headers: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A web server that answers every request with one page, and keeps what it was asked.
struct Site {
    service: Service,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Site {
    /// A site whose page sets a cookie of this name.
    fn start(name: &'static str) -> Self {
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = requests.clone();
        let service = Service::serve(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone()?);
            while let Some(request) = read_request(&mut reader)? {
                seen.lock().unwrap().push(request);
                let page = format!("<!doctype html><title>{name}</title><p>page of {name}</p>");
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
                     Set-Cookie: {name}=secret; Max-Age=1000\r\nAccess-Control-Allow-Origin: *\r\n\r\n{page}",
                    page.len()
                )?;
            }
            Ok(())
        });
        Self { service, requests }
    }

    fn port(&self) -> u16 {
        self.service.address().port()
    }

    /// The requests since the last call, without those for an icon that browsers make by themselves.
    fn take(&self) -> Vec<Request> {
        let mut requests = std::mem::take(&mut *self.requests.lock().unwrap());
        requests.retain(|it| !it.line.contains("/favicon.ico"));
        requests
    }
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let (mut line, mut headers) = (String::new(), String::new());
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    while !headers.ends_with("\r\n\r\n") && headers != "\r\n" {
        if reader.read_line(&mut headers)? == 0 {
            return Ok(None);
        }
    }
    let mut request = Request { line: line.trim_end().to_owned(), headers, body: String::new() };
    let length = request.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_string(&mut request.body)?;
    Ok(Some(request))
}

/// An owner's web site that a friend has joined, and its address there.
fn shared(owner: &Person, friend: &Person, port: u16, name: &str) -> String {
    owner.run(&["share", &port.to_string(), "--name", name, "--kind", "http"]);
    let link = owner.invite(name, &[]);
    let local = free_port().to_string();
    let events = friend.run_with_input(&["join", "-", "--port", &local, "--wait", "60s"], &link);
    let up = events.last().unwrap();
    assert_eq!(up["event"], "up", "{events:?}");
    assert_eq!(up["url"], format!("http://{}:{local}/", text(&up["host"])), "{up}");
    text(&up["url"]).to_owned()
}

fn set_check(friend: &Person, name: &str, on: bool) {
    friend.run(&["change", name, "--browser-check", if on { "on" } else { "off" }]);
    friend.wait_for("the check", |seen| {
        let inlet = find(&seen["inlets"], name)?;
        (inlet["checked"] == on && inlet["link"]["state"] == "up").then_some(())
    });
}

/// Whether any attack of a page of another site reached the portal at this address of Ann's.
fn attack(evil: &Tab<'_>, site: &Site, url: &str, port: u16) -> Vec<Request> {
    for script in [
        format!("fetch('{url}get', {{credentials: 'include', mode: 'no-cors'}})"),
        format!("fetch('{url}post', {{credentials: 'include', mode: 'no-cors', method: 'POST', body: 'x=1'}})"),
        format!("fetch('{url}cors', {{headers: {{'X-Mine': '1'}}}})"),
        format!(
            "new Promise(done => {{ const it = new Image(); it.onload = it.onerror = done; it.src = '{url}image' }})"
        ),
        format!(
            "new Promise(done => {{ const it = new WebSocket('{}'); it.onerror = it.onclose = done }})",
            url.replacen("http", "ws", 1)
        ),
        format!(
            "new Promise(done => {{ const it = document.createElement('iframe'); it.onload = done; \
             it.src = '{url}frame'; document.body.append(it) }})"
        ),
        format!(
            "new Promise(done => {{ const it = document.createElement('iframe'); it.name = 'target'; it.onload = done; \
             document.body.append(it); const form = document.createElement('form'); form.method = 'POST'; \
             form.action = '{url}form'; form.target = 'target'; document.body.append(form); form.submit() }})"
        ),
    ] {
        evil.evaluate(&script);
    }
    let rebound = evil.browser().open(&format!("http://evil.example:{port}/rebound"));
    rebound.text();
    rebound.evaluate("fetch('/rebound', {method: 'POST', body: 'x=1'}).then(it => it.text())");
    // A form in the window itself.
    let window = evil.browser().open(&evil.evaluate("location.href"));
    let post = "const form = document.createElement('form'); form.method = 'POST'; document.body.append(form);";
    window.evaluate(&format!("(() => {{ {post} form.action = '{url}window'; setTimeout(() => form.submit()) }})()"));
    window.wait_until(&format!("document.readyState == 'complete' && location.href.endsWith('window') ? '{url}' : ''"));
    site.take()
}

/// A link of another site opens the portal, at its own name also if it leads to localhost.
fn assert_links_open(browser: &Browser, site: &Site, (page, own): (&str, &str), port: u16) {
    for target in [own.to_owned(), format!("http://localhost:{port}/"), format!("http://127.0.0.1:{port}/")] {
        let tab = browser.open(page);
        tab.evaluate(&format!(
            "(() => {{ const it = document.createElement('a'); it.href = '{target}linked'; document.body.append(it); it.click() }})()"
        ));
        tab.wait_until("document.title == 'wiki' ? 'opened' : ''");
        assert_eq!(tab.evaluate("location.href"), format!("{own}linked"), "{target}");
        assert_eq!(site.take().len(), 1);
    }
}

#[test]
fn portals_of_two_owners_share_no_cookies_and_other_sites_reach_nothing() {
    let hub = Hub::start();
    let (ann, cid, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Cid"), Person::start(&hub, "Ben"));
    let (wiki, shop, own) = (Site::start("wiki"), Site::start("shop"), Site::start("evil"));
    let at_wiki = shared(&ann, &ben, wiki.port(), "wiki");
    let at_shop = shared(&cid, &ben, shop.port(), "shop");
    assert!(at_wiki.starts_with("http://wiki.ann.localhost:") && at_shop.starts_with("http://shop.cid.localhost:"));
    let browser = Browser::start();

    // Each page has its own cookie, sends it to its own service only, and cannot set one for the other.
    for (url, name) in [(&at_wiki, "wiki"), (&at_shop, "shop")] {
        let tab = browser.open(url);
        assert_eq!(tab.text().trim(), format!("page of {name}"));
        tab.evaluate("['localhost', 'ann.localhost', 'wiki.ann.localhost'].forEach(it => document.cookie = 'planted=1; Domain=' + it)");
        assert!(tab.evaluate("document.cookie").contains(&format!("{name}=secret")));
    }
    for (url, own, other) in [(&at_wiki, "wiki=secret", "shop"), (&at_shop, "shop=secret", "wiki")] {
        let tab = browser.open(url);
        let cookies = tab.evaluate("document.cookie");
        assert!(cookies.contains(own) && !cookies.contains(other), "{cookies}");
    }
    for (site, other) in [(&wiki, "shop"), (&shop, "wiki")] {
        let requests = site.take();
        assert!(requests.iter().all(|it| !it.header("cookie").unwrap_or_default().contains(other)), "{requests:?}");
        assert!(requests.iter().all(|it| it.header("host").unwrap().starts_with("localhost:")), "{requests:?}");
    }
    assert_eq!(browser.open(&at_shop).evaluate("document.cookie"), "shop=secret", "Ann's page planted nothing here");
    shop.take();

    // Pages of another site, of the other owner, and of a program of the user.
    let port: u16 = at_wiki.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    let pages =
        [format!("http://evil.example:{}/", own.port()), at_shop.clone(), format!("http://localhost:{}/", own.port())];
    for page in &pages {
        let tab = browser.open(page);
        assert_eq!(attack(&tab, &wiki, &at_wiki, port).len(), 0, "from {page}");
        let at_localhost = format!("http://localhost:{port}/");
        let reached = attack(&tab, &wiki, &at_localhost, port);
        assert_eq!(reached.len(), 0, "from {page} to localhost: {reached:?}");
    }
    let refused = browser.open(&format!("http://evil.example:{port}/"));
    assert!(refused.text().contains("DNS rebinding"), "{}", refused.text());

    assert_links_open(&browser, &wiki, (&pages[0], &at_wiki), port);
    // Its own pages use it as ever.
    let tab = browser.open(&at_wiki);
    tab.evaluate("fetch('/own', {method: 'POST', body: 'x=1'})");
    assert!(wiki.take().iter().any(|it| it.line.starts_with("POST /own") && it.body == "x=1"));

    // Without the check each attack reaches it: so the attacks are ones.
    set_check(&ben, "wiki", false);
    let tab = browser.open(&pages[0]);
    let reached = attack(&tab, &wiki, &format!("http://localhost:{port}/"), port);
    for path in ["/get", "/post", "/cors", "/image", "/frame", "/form", "/rebound", "/window"] {
        assert!(reached.iter().any(|it| it.line.contains(path)), "{path} in {reached:?}");
    }
    set_check(&ben, "wiki", true);
    assert_eq!(attack(&tab, &wiki, &at_wiki, port).len(), 0);
}

#[test]
fn curl_uses_every_address_of_a_web_portal() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Анна"), Person::start(&hub, "Ben"));
    let site = Site::start("wiki");
    let url = shared(&ann, &ben, site.port(), "Wiki & notes");
    assert!(url.starts_with("http://wiki-notes.anna.localhost:"), "{url}");
    let port = url.rsplit(':').next().unwrap().trim_end_matches('/');
    let curl = |arguments: &[&str]| {
        let mut curl = debian::command("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60"]).args(arguments);
        Process::run(&mut curl, TIMEOUT).success().stdout
    };
    for address in [url.clone(), format!("http://localhost:{port}/"), format!("http://127.0.0.1:{port}/")] {
        assert!(curl(&[&address]).contains("page of wiki"), "{address}");
        assert!(curl(&["--data", "x=1", &address]).contains("page of wiki"), "{address}");
    }
    let refused = curl(&["--header", "Host: evil.example", &url]);
    assert!(refused.contains("another host") && refused.contains("browser check"), "{refused}");
    // The check and the name survive a restart.
    let mut ben = ben;
    set_check(&ben, "Wiki & notes", false);
    ben.restart();
    ben.wait_until_up("Wiki & notes");
    let localhost = format!("http://localhost:{port}/");
    ben.wait_for("the old address", |seen| (find(&seen["inlets"], "Wiki & notes")?["url"] == localhost).then_some(()));
    assert!(curl(&["--header", "Host: evil.example", &localhost]).contains("page of wiki"));
}

#[test]
fn a_port_that_another_program_holds_on_one_loopback_address_is_reported() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.share(service.address(), "echo");
    let port = free_port();
    let Ok(shadow) = std::net::TcpListener::bind(("::1", port)) else { return eprintln!("this machine has no IPv6") };
    let failed =
        ben.fails_with_input(&["join", "-", "--port", &port.to_string(), "--wait", "60s"], &ann.invite("echo", &[]));
    assert_eq!(failed.code, "port-taken");
    assert!(failed.message.contains(&format!("[::1]:{port}")), "{failed:?}");
    let findings = ben.fails(&["doctor"]).events;
    assert!(findings.iter().any(|it| it.to_string().contains(&format!("[::1]:{port}"))), "{findings:?}");
    drop(shadow);
    ben.wait_until_up("echo");
    for address in [loopback(port), (std::net::Ipv6Addr::LOCALHOST, port).into()] {
        assert_eq!(postern_testkit::client::ask(address, b"mine").unwrap(), b"mine");
    }
    eventually("the service's end", TIMEOUT, || (service.live() == 0).then_some(()));
}
