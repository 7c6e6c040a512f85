//! The examples of `file_transfer`: a file in chunks, through a secure channel and a hub.

use super::{Result, run_until_stopped};
use postern_node::{BareMessage, Context, Node, Routed, SecureChannelOptions, Worker, WorkerError, route};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// What the file is called, and its size in bytes.
#[derive(Serialize, Deserialize)]
struct FileDescription {
    name: String,
    size: u64,
}

/// The messages of a transfer, in this order.
#[derive(Serialize, Deserialize)]
enum FileData {
    Description(FileDescription),
    Data(Vec<u8>),
    Quit,
}

impl BareMessage for FileData {}

/// Writes one file into the current directory, and stops its node when it is complete.
#[derive(Default)]
struct FileReception(Option<Incoming>);

struct Incoming {
    file: File,
    missing: u64,
}

impl FileReception {
    /// Opens the file under its last name only: a sender does not choose the directory.
    fn begin(&mut self, description: &FileDescription) -> Result {
        let name = Path::new(&description.name).file_name().ok_or("the file has no name")?;
        self.0 = Some(Incoming { file: File::create(name)?, missing: description.size });
        Ok(())
    }

    /// Writes a chunk; whether it was the last.
    fn write(&mut self, data: &[u8]) -> Result<bool> {
        let incoming = self.0.as_mut().ok_or("file not opened")?;
        incoming.missing = incoming.missing.checked_sub(data.len() as u64).ok_or("Received too many bytes")?;
        incoming.file.write_all(data)?;
        Ok(incoming.missing == 0)
    }
}

impl Worker for FileReception {
    type Message = FileData;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<FileData>) -> Result<(), WorkerError> {
        let is_complete = match message.into_body() {
            FileData::Description(description) => {
                self.begin(&description)?;
                description.size == 0
            }
            FileData::Data(data) => self.write(&data)?,
            FileData::Quit => true,
        };
        if is_complete {
            context.node().shutdown_in_background();
        }
        Ok(())
    }
}

pub(crate) async fn receiver(hub: &str) -> Result {
    let node = Node::new();
    let receiver = node.create_identity().await?;
    let trust = SecureChannelOptions::trust_anyone();
    let channels = node.create_secure_channel_listener(&receiver, "listener", trust).await?;
    node.start_worker("receiver", FileReception::default())?;
    node.expose("receiver", &channels)?;
    let connection = node.tcp_connect(hub).await?;
    node.expose("listener", &connection)?;
    let relay = node.create_relay(&connection, None).await?;
    println!("\n[✓] RemoteRelay was created on the node at: {hub}");
    println!("Forwarding address for Receiver is:\n{}", relay.address());
    // Until the file is there.
    node.stopped().await;
    node.shutdown().await;
    Ok(())
}

pub(crate) async fn sender(path: &str, relay: &str, hub: &str, chunk: usize) -> Result {
    let node = Node::new();
    let sender = node.create_identity().await?;
    let connection = node.tcp_connect(hub).await?;
    let route = route![&connection, relay, "listener"];
    let channel = node.create_secure_channel(&sender, route, SecureChannelOptions::trust_anyone()).await?;
    println!("\n[✓] End-to-end encrypted secure channel was established.\n");

    let mut file = File::open(path)?;
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).ok_or("the file has no name")?.to_owned();
    let size = file.metadata()?.len();
    let mut context = node.context()?;
    let receiver = route![&channel, "receiver"];
    context.send(receiver.clone(), FileData::Description(FileDescription { name, size })).await?;
    let mut buffer = vec![0; chunk];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => context.send(receiver.clone(), FileData::Data(buffer[..count].to_vec())).await?,
        }
    }
    run_until_stopped(node).await
}
