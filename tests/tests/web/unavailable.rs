//! What browsers and programs get from the inlet of a web portal that cannot be used.

use super::browser::{Browser, Tab};
use super::{Site, shared};
use postern_testkit::{Hub, Person, Process, TIMEOUT, debian, eventually};

/// The status, the headers and the body that a program gets.
fn curl(arguments: &[&str]) -> String {
    let mut curl = debian::command("curl");
    curl.args(["--silent", "--show-error", "--include", "--max-time", "60"]).args(arguments);
    // A connection may still be reset while the portal is going down.
    Process::run(&mut curl, TIMEOUT).stdout
}

/// Waits until a program is answered with this reason.
fn wait_for_reason(url: &str, reason: &str) -> String {
    eventually(reason, TIMEOUT, || {
        let answer = curl(&[url]);
        (answer.starts_with("HTTP/1.1 503 ") && answer.contains(reason)).then_some(answer)
    })
}

/// Waits until the page shows this reason, by its own reloading.
fn wait_for_page(tab: &Tab<'_>, reason: &str) -> String {
    tab.wait_until(&format!("document.body?.innerText.includes('{reason}') ? document.body.innerText : ''"))
}

#[test]
fn a_browser_learns_why_a_portal_cannot_be_used_and_goes_on_by_itself() {
    let hub = Hub::start();
    let (mut ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let site = Site::start("wiki");
    let url = shared(&ann, &ben, site.port(), "wiki");
    // Markup in a name is shown as the text that it is.
    ben.run(&["change", "wiki", "--name", "<i>wiki"]);
    let browser = Browser::start();
    let tab = browser.open(&url);
    assert_eq!(tab.text().trim(), "page of wiki");

    ann.run(&["pause", "wiki"]);
    let answer = wait_for_reason(&url, "Ann paused it.");
    assert!(answer.contains("Retry-After: ") && answer.contains("no-store"), "{answer}");
    assert!(answer.contains("<i>wiki is not available.") && answer.contains("text/plain"), "{answer}");
    tab.go(&url);
    let page = wait_for_page(&tab, "Ann paused it");
    assert!(page.contains("<i>wiki is not available") && page.contains("tries again"), "{page}");
    // It is reloaded now and then, so each question is asked until it is answered.
    assert_eq!(tab.wait_until("document.querySelectorAll('h1 *, p *, script, img, link').length"), "0");
    // Its style is there, though everything else is forbidden.
    let size = "document.querySelector('h1') && getComputedStyle(document.querySelector('h1')).fontSize || ''";
    assert_eq!(tab.wait_until(size), "24px");
    assert_eq!(
        tab.wait_until("document.querySelector('h1') && fetch('/x').then(() => 'sent', () => 'refused')"),
        "refused"
    );

    ann.run(&["resume", "wiki"]);
    tab.wait_until("document.title == 'wiki' ? 'back' : ''");

    ann.stop();
    wait_for_reason(&url, "computer");
    tab.go(&url);
    wait_for_page(&tab, "computer");
    ann.up();
    tab.wait_until("document.title == 'wiki' ? 'back' : ''");
}

#[test]
fn a_program_learns_that_the_service_or_the_hub_is_down() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let site = Site::start("wiki");
    let url = shared(&ann, &ben, site.port(), "wiki");
    drop(site);
    wait_for_reason(&url, "Ann is online, but the service is not responding.");
    let form = curl(&["--data", "x=1", &url]);
    assert!(form.starts_with("HTTP/1.1 503 "), "{form}");
    drop(hub);
    wait_for_reason(&url, "hub");
}
