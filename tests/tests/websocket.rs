//! A WebSocket: long-lived, both ways, in frames of its own.

use std::io;
use std::net::TcpStream;

use postern_tests::client::connect;
use postern_tests::{Payload, SOON, Service, Trio, eventually};
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

fn open(trio: &Trio) -> WebSocket<TcpStream> {
    let url = format!("ws://{}/", trio.address());
    tungstenite::client(url, connect(trio.address())).expect("the server takes the upgrade").0
}

#[test]
fn messages_come_back_and_the_close_is_clean() {
    let service = echo();
    let trio = Trio::around(service.address());
    let mut socket = open(&trio);

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
    eventually("the server to have closed", SOON, || (service.live() == 0).then_some(()));
}

#[test]
fn a_thousand_small_messages_keep_their_order() {
    let service = echo();
    let trio = Trio::around(service.address());
    let mut socket = open(&trio);
    for number in 0..1000 {
        socket.write(Message::text(number.to_string())).unwrap();
    }
    socket.flush().unwrap();
    for number in 0..1000 {
        assert_eq!(socket.read().unwrap(), Message::text(number.to_string()));
    }
}
