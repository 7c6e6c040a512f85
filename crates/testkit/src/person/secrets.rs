//! No person may write down the secret of an invitation: checked for everybody when they are dropped.

use std::fs;
use std::sync::Mutex;

use postern_engine::peer::ticket::Ticket;

use super::{Person, locked};
use crate::contains;

/// The links made in this test program, by anybody.
static LINKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Adds a link to those whose secrets are searched for.
pub(super) fn register(link: &str) {
    locked(&LINKS).push(link.to_owned());
}

impl Person {
    /// Everything that they wrote so far: the output of their commands and of their engine, its log, and, by name,
    /// every file of their data directory but the key file.
    #[must_use]
    pub fn everything_written(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = vec![("output".to_owned(), locked(&self.output).clone().into_bytes())];
        if let Some(engine) = &self.engine {
            all.push(("engine's output".to_owned(), engine.stdout().into_bytes()));
            all.push(("engine's log".to_owned(), engine.stderr().into_bytes()));
        }
        for entry in fs::read_dir(self.data_dir()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != postern_engine::identity::KEY_FILE
                && let Ok(bytes) = fs::read(entry.path())
            {
                all.push((name, bytes));
            }
        }
        all
    }

    /// Fails if anything they wrote, the database included, contains the secret of an invitation.
    pub(super) fn assert_no_secret_written(&self) {
        let links = locked(&LINKS).clone();
        let everything = self.everything_written();
        for link in &links {
            let Ok(ticket) = Ticket::decode(link) else { continue };
            for (name, bytes) in &everything {
                let found = contains(bytes, link.as_bytes())
                    || contains(bytes, hex::encode(ticket.secret).as_bytes())
                    || contains(bytes, &ticket.secret);
                assert!(!found, "the {name} of {} contains the secret of an invitation", self.name);
            }
        }
    }
}
