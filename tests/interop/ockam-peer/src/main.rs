//! A node on the `ockam` crate that does what it is told, one command a line.
//!
//! Every argument is a command, and after them every line of standard input; each is answered with one line, which
//! begins with the command's name, or with `failed`. What happens meanwhile is told as it happens: `allowed`, `denied`.
//! It ends when its input does. The same commands drive `ours`; [`node`] has them all.

mod credential;
mod envelope;
mod issuing;
mod node;
mod session;
mod workers;

use node::Peer;
use ockam::{Context, NodeBuilder, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

async fn run(context: Context) -> Result<()> {
    let mut peer = Peer::new(&context).await?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for command in &arguments {
        answer(&mut peer, command).await;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(command)) = lines.next_line().await {
        answer(&mut peer, &command).await;
    }
    context.shutdown_node().await
}

async fn answer(peer: &mut Peer, command: &str) {
    let mut words = command.split_ascii_whitespace();
    let Some(verb) = words.next() else { return };
    match peer.obey(verb, &words.collect::<Vec<_>>()).await {
        Ok(answer) => println!("{}", format!("{verb} {answer}").trim_end()),
        Err(error) => println!("failed {verb}: {}", error.to_string().replace('\n', " ")),
    }
}

fn main() -> std::process::ExitCode {
    let (context, mut executor) = NodeBuilder::new().no_logging().build();
    match executor.execute(run(context)) {
        Ok(Ok(())) => std::process::ExitCode::SUCCESS,
        Ok(Err(error)) | Err(error) => {
            println!("failed: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
