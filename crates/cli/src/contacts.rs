//! `postern contacts` and `postern verify`.

use crate::engine_client::DataDirArgs;
use crate::output::Output;
use crate::resolve;
use crate::table::Table;
use crate::terminal_text::{escaped, sanitized};
use crate::word_groups;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use postern_engine::api::{ContactView, Request, Snapshot, VerifyAgain};
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};

#[derive(Args)]
pub(crate) struct ContactsArguments {
    #[command(subcommand)]
    command: Option<ContactsCommand>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Subcommand)]
enum ContactsCommand {
    /// Give a contact a name of your own.
    Rename {
        /// The contact.
        contact: String,
        /// The new name.
        name: String,
    },
    /// Block a contact: cuts their connections, revokes their invitations and hides theirs to you.
    Block {
        /// The contact.
        contact: String,
    },
    /// Unblock a contact.
    Unblock {
        /// The contact.
        contact: String,
    },
    /// Forget a contact without access, who gives you none.
    Forget {
        /// The contact.
        contact: String,
    },
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// The contact.
    contact: String,
    /// Do not ask: these words were compared, over the telephone or face to face, and are the same.
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// What older versions had instead: the words of a key that was replaced meanwhile would have counted as compared.
    #[arg(long, hide = true, conflicts_with = "words")]
    yes: bool,
    /// Remove the verification.
    #[arg(long, conflicts_with_all = ["yes", "words"])]
    undo: bool,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Contacts {
        contacts: &'a [ContactView],
    },
    Changed {
        person: String,
    },
    Words {
        person: String,
        words: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        own_words: Option<&'a str>,
    },
    Verified {
        person: String,
        verified: bool,
    },
}

pub(crate) async fn run(arguments: ContactsArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let Some(command) = arguments.command else {
        output.print(&Event::Contacts { contacts: &snapshot.contacts }, text(&snapshot));
        return Ok(());
    };
    let (contact, sentence) = match &command {
        ContactsCommand::Rename { contact, .. } => (contact, "Renamed"),
        ContactsCommand::Block { contact } => (contact, "Blocked"),
        ContactsCommand::Unblock { contact } => (contact, "Unblocked"),
        ContactsCommand::Forget { contact } => (contact, "Forgot"),
    };
    let person = resolve::person(&snapshot, contact)?;
    let sentence = format!("{sentence} {}.", sanitized(contact));
    let request = match command {
        ContactsCommand::Rename { name, .. } => Request::RenameContact { person, name },
        ContactsCommand::Block { .. } => Request::Block { person, on: true },
        ContactsCommand::Unblock { .. } => Request::Block { person, on: false },
        ContactsCommand::Forget { .. } => Request::Forget { person },
    };
    engine.execute(request).await?;
    output.print(&Event::Changed { person: person.to_string() }, sentence);
    Ok(())
}

fn text(snapshot: &Snapshot) -> String {
    if snapshot.contacts.is_empty() {
        return "No contacts yet: people appear here when an invitation is accepted, theirs or yours.".into();
    }
    let mut table = Table::new("");
    for contact in &snapshot.contacts {
        let mut notes = Vec::new();
        match contact.verify_again {
            Some(VerifyAgain::KeyChanged) => notes.push("key changed: compare the words again"),
            Some(VerifyAgain::WordsChanged) => notes.push("Postern's words have become longer: compare once more"),
            None => {}
        }
        if contact.key_refused.is_some() {
            notes.push("another key was refused: see postern ls");
        }
        if contact.blocked {
            notes.push("blocked");
        }
        if contact.verified {
            notes.push("verified");
        }
        if !contact.can_be_mailed {
            notes.push("can be invited by link only");
        }
        let identifier = contact.identifier.to_string();
        let identifier = format!("{}…", identifier.get(..9).unwrap_or(&identifier));
        table.row([sanitized(&contact.name), identifier, word_groups::line(&contact.words), notes.join(", ")]);
    }
    let mut text = table.text().trim_end().to_owned();
    if let Some(words) = snapshot.me.as_ref().and_then(|me| me.words.as_ref()) {
        text.push_str(&format!("\n\nYour words: {}", word_groups::line(words)));
    }
    text
}

pub(crate) async fn verify(arguments: VerifyArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let person = resolve::person(&snapshot, &arguments.contact)?;
    let Some(contact) = snapshot.contacts.iter().find(|contact| contact.identifier == person) else {
        bail!("the contact no longer exists");
    };
    let name = sanitized(&contact.name);
    let words = arguments.words.as_deref().map_or_else(|| contact.words.clone(), one_space_between);
    if arguments.yes {
        let contact = resolve::argument("person", &contact.name);
        bail!(
            "say which words you have compared: postern verify --words \"…\" {contact}. Without an option they are shown"
        );
    }
    if !arguments.undo && arguments.words.is_none() {
        let own_words = snapshot.me.as_ref().and_then(|me| me.words.as_deref());
        output.print(
            &Event::Words { person: person.to_string(), words: &contact.words, own_words },
            comparison(&name, &contact.words, own_words),
        );
        let can_ask = std::io::stdin().is_terminal() && !output.is_json();
        if !can_ask || !tokio::task::spawn_blocking(confirm).await?? {
            let contact = resolve::argument("person", &contact.name);
            output.text(format_args!(
                "Nothing was changed. If the words are the same: postern verify --words \"{}\" {contact}",
                escaped(&words)
            ));
            return Ok(());
        }
    }
    let verified = !arguments.undo;
    let words = verified.then_some(words);
    engine.execute(Request::Verify { person, verified, words }).await?;
    let sentence = match verified {
        true => format!("{name} is verified. You will be notified if their key changes."),
        false => format!("{name} is no longer verified."),
    };
    output.print(&Event::Verified { person: person.to_string(), verified }, sentence);
    Ok(())
}

/// Words as the engine has them, however they were typed or pasted.
fn one_space_between(words: &str) -> String {
    let words: Vec<String> = words.split(|it: char| !it.is_alphanumeric()).map(str::to_lowercase).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What the user is to compare.
fn comparison(name: &str, words: &str, own_words: Option<&str>) -> String {
    if words.is_empty() {
        return format!("The words of {name} are not known yet. They are shown once both computers were connected.\n");
    }
    let mut text = format!(
        "The words of {name}. Ask for them over the telephone or face to face:\n\n{}",
        word_groups::block(words)
    );
    if let Some(own) = own_words {
        text.push_str(&format!("\nYour words, which {name} sees:\n\n{}", word_groups::block(own)));
    }
    text
}

fn confirm() -> std::io::Result<bool> {
    let mut out = std::io::stdout();
    write!(out, "Are the words the same? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
