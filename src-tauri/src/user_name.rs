//! The name of whoever is logged in, as the first run proposes it: the full name of the account, else its short one.

use crate::untrusted_text::{MAX_NOTIFICATION_NAME, sanitize_line};

/// The name to propose; empty if the system gives none.
pub(crate) fn proposed() -> String {
    let account = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = full_name(&accounts, &account).unwrap_or(account);
    sanitize_line(&name, MAX_NOTIFICATION_NAME).trim().to_owned()
}

/// The account's full name: the first part of the fifth field of its line (`passwd(5)`), where `&` stands for the account.
fn full_name(accounts: &str, account: &str) -> Option<String> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(account))?;
    let name = line.split(':').nth(4)?.split(',').next()?.trim();
    (!name.is_empty()).then(|| name.replace('&', account))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann Lee,Room 3,,:/home/ann:/bin/sh\n\
                            ben:x:1001:1001::/home/ben:/bin/sh\nbroken\n";

    #[test]
    fn the_full_name_is_the_first_part_of_the_accounts_description() {
        assert_eq!(full_name(ACCOUNTS, "ann").as_deref(), Some("Ann Lee"));
        assert_eq!(full_name(ACCOUNTS, "ben"), None);
        assert_eq!(full_name(ACCOUNTS, "broken"), None);
        assert_eq!(full_name(ACCOUNTS, "nobody"), None);
        assert_eq!(full_name("cid:x:1:1:& Smith:/:/", "cid").as_deref(), Some("cid Smith"));
    }
}
