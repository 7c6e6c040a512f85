//! What one person, one connection and one recipient may leave.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn quotas_hold_and_are_reported() {
    let hub = start("127.0.0.1:0", None).await;
    let address = hub.local_addr().to_string();
    let (alice, bob) = (MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    let refused = in_time(alice.deposit(bob.id(), &[0; MAIL_SIZE_MAX + 1])).await;
    assert!(matches!(refused, Err(Error::Mailbox(MailboxError::TooLarge))));
    let mut outcomes = Vec::new();
    for number in 0..40u8 {
        outcomes.push(in_time(alice.deposit(bob.id(), &[number; MAIL_SIZE_MAX])).await);
    }
    // 1 MiB for one recipient is 32 of these, and 32 is what one depositor may leave at once.
    assert!(outcomes[..32].iter().all(Result::is_ok));
    assert!(outcomes[32..].iter().any(|outcome| matches!(outcome, Err(Error::Mailbox(MailboxError::RateLimited)))));
    let carol = MailboxClient::at(&address).await;
    let full = in_time(carol.deposit(bob.id(), b"one more")).await;
    assert!(matches!(full, Err(Error::Mailbox(MailboxError::MailboxFull))), "{full:?}");
    // And there is room for others, and for Bob once he has been there.
    in_time(carol.deposit(alice.id(), b"one more")).await.unwrap();
    let mut mailbox = bob.mailbox();
    for _ in 0..IN_FLIGHT {
        let mail = in_time(mailbox.next()).await.unwrap();
        mailbox.acknowledge(mail.id);
    }
    until_empty(&bob).await;
    in_time(carol.deposit(bob.id(), b"one more")).await.unwrap();
    assert_eq!(in_time(mailbox.next()).await.unwrap().sealed, b"one more");
}

#[tokio::test]
async fn mail_for_somebody_who_was_never_there_is_refused() {
    let hub = start("127.0.0.1:0", None).await;
    let alice = MailboxClient::at(&hub.local_addr().to_string()).await;
    let refused = in_time(alice.deposit(Identifier::from_bytes([7; 32]), b"for nobody")).await;
    assert!(matches!(refused, Err(Error::Mailbox(MailboxError::UnknownRecipient))), "{refused:?}");
}

/// Identities are free: many on one connection have together what two people have.
#[tokio::test]
async fn identities_on_one_connection_share_a_rate_limit() {
    let hub = start("127.0.0.1:0", None).await;
    let address = hub.local_addr().to_string();
    let (alice, bob) = (MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    let connection = alice.node.tcp_connect(&address).await.unwrap();
    let (mut stored, begun) = (0, Instant::now());
    for identity in 0..8u8 {
        let stranger = alice.node.create_identity().await.unwrap();
        let route = route![&connection, HUB_LISTENER];
        let channel = alice.node.create_secure_channel(&stranger, route, any()).await.unwrap();
        for number in 0..16u8 {
            let deposited = in_time(alice.node.deposit_mail(&channel, bob.id(), &[identity, number])).await;
            stored += u64::from(deposited.is_ok());
        }
    }
    // 64 in a row, and one for each second that this takes.
    let most = 65 + begun.elapsed().as_secs();
    assert!((64..=most).contains(&stored), "{stored} of at most {most}");
    alice.write(&bob, "by another way").await;
}
