//! A WebSocket: long-lived, both ways, in frames of its own.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use postern_testkit::client::connect;
use postern_testkit::{HubOutletInlet, Payload, Process, Service, TIMEOUT, eventually};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// A server that answers every text and binary message with itself.
fn echo() -> Service {
    Service::serve(|stream| {
        let mut socket = tungstenite::accept(stream).map_err(io::Error::other)?;
        loop {
            // Reading answers pings and a close by itself.
            match socket.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    socket.send(message).map_err(io::Error::other)?
                }
                Ok(_) => {}
                Err(Error::ConnectionClosed) => return Ok(()),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    })
}

fn open(portal: &HubOutletInlet) -> WebSocket<TcpStream> {
    let url = format!("ws://{}/", portal.address());
    tungstenite::client(url, connect(portal.address())).expect("the server takes the upgrade").0
}

#[test]
fn messages_come_back_and_the_close_is_clean() {
    let service = echo();
    let portal = HubOutletInlet::start(service.address());
    let mut socket = open(&portal);

    let mebibyte = Payload::new(1 << 20).bytes();
    let messages = [
        Message::text("hello, Übermut ☂"),
        Message::text(""),
        Message::binary(b"\x00\xff\x00".to_vec()),
        Message::binary(mebibyte),
        Message::text("x".repeat(1 << 20)),
    ];
    for message in messages {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message, "another message came back");
    }
    socket.send(Message::Ping("are you there".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("are you there".into()));

    let goodbye = CloseFrame { code: CloseCode::Normal, reason: "that was all".into() };
    socket.close(Some(goodbye.clone())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(Some(goodbye)));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    eventually("the server to have closed", TIMEOUT, || (service.live() == 0).then_some(()));
}

/// One end of a WebSocket as Debian's `python3-websockets` does it.
fn debians(arguments: &[&str]) -> Command {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/websocket/talk.py");
    // The one that Debian's modules are for, whatever stands before it in PATH.
    let mut python = Command::new("/usr/bin/python3");
    python.arg(program).args(arguments);
    python
}

#[test]
fn debians_websockets_talk_through_a_portal() {
    let server = Process::spawn(&mut debians(&["serve"]));
    let listening = server.wait_for_line(|line| line.starts_with("listening "), TIMEOUT);
    let port: u16 = listening.rsplit(' ').next().and_then(|port| port.parse().ok()).unwrap();
    let portal = HubOutletInlet::start((Ipv4Addr::LOCALHOST, port).into());
    let client = Process::run(&mut debians(&["ask", &format!("ws://{}/", portal.address())]), TIMEOUT).success();
    assert_eq!(client.stdout, "closed with 1000\n");
    assert!(server.ended().is_none());
}

#[test]
fn a_thousand_small_messages_keep_their_order() {
    let service = echo();
    let portal = HubOutletInlet::start(service.address());
    let mut socket = open(&portal);
    for number in 0..1000 {
        socket.write(Message::text(number.to_string())).unwrap();
    }
    socket.flush().unwrap();
    for number in 0..1000 {
        assert_eq!(socket.read().unwrap(), Message::text(number.to_string()));
    }
}
