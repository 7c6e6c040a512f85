//! The page that web links lead to, in a real browser.

use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::browser::Browser;
use super::{Request, read_request};
use postern_testkit::json::text;
use postern_testkit::{Hub, Person, Service, World};

const PAGE: &str = include_str!("../../../web/join.html");

#[test]
fn a_web_link_opens_the_app_and_its_page_sends_nothing() {
    let requests = Arc::<Mutex<Vec<Request>>>::default();
    let seen = requests.clone();
    let service = Service::serve(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read_request(&mut reader)? {
            seen.lock().unwrap().push(request);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{PAGE}",
                PAGE.len()
            )?;
        }
        Ok(())
    });
    let world = World::sharing("wiki");
    let base = format!("http://{}/somewhere", service.address());
    let link = world.ann.invite("wiki", &["--web", &base]);
    let code = link.strip_prefix(&format!("{base}#join/")).expect("a link to the page").to_owned();

    let browser = Browser::start();
    let tab = browser.open(&link);
    assert_eq!(tab.wait_until("document.getElementById('open').href"), format!("postern://join/{code}"));
    assert!(tab.text().contains("You are invited") && !tab.text().contains("not complete"), "{}", tab.text());
    // Its style and script run under its policy, and nothing else does.
    assert_eq!(tab.evaluate("getComputedStyle(document.querySelector('h1')).fontSize"), "24px");
    let leaks = "(async () => { const it = new Image(); it.src = '/leak?' + location.hash; document.body.append(it); \
         try { navigator.sendBeacon('/leak', location.hash) } catch {} \
         return await fetch('/leak').then(() => 'sent', () => 'refused') })()";
    assert_eq!(tab.evaluate(leaks), "refused");
    for (address, says) in [(base.clone(), "not complete"), (format!("{base}#join/{}!", &code[..60]), "not complete")] {
        assert!(browser.open(&address).text().contains(says), "{address}");
    }
    let mut requests = std::mem::take(&mut *requests.lock().unwrap());
    requests.retain(|it| !it.line.contains("/favicon.ico"));
    assert!(requests.len() >= 2, "{requests:?}");
    for request in &requests {
        assert_eq!(request.line, "GET /somewhere HTTP/1.1");
        assert!(!format!("{request:?}").contains(&code[..20]), "{request:?}");
    }

    // The link itself is understood, and asks first.
    world.ben.run_with_input(&["join", "-"], &link);
    let knock = world.ann.wait_for("the knock", |seen| seen["knocks"].get(0).cloned());
    assert!(!text(&knock["words"]).is_empty(), "{knock}");
}

#[test]
fn a_hub_serves_the_page_only_if_it_is_configured_to() {
    assert_eq!(Hub::start().status("/join").unwrap().0, 404);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut command = Hub::command(any);
    command.arg("--join-page");
    let hub = Hub::spawn(&mut command);
    let (status, body) = hub.status("/join").unwrap();
    assert_eq!((status, body.as_str()), (200, PAGE));
    let owner = Person::start(&hub, "Ann");
    owner.run(&["share", "8080", "--name", "wiki"]);
    assert_eq!(owner.try_invite("wiki", &["--web", "http://links.example/join"]).unwrap_err().code, "invalid");
}
