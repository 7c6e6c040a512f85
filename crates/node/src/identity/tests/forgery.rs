//! Histories written by hand with another encoder: what must be tolerated, what must not.

use minicbor::{Encoder, data::Tag};

use super::*;
use crate::{crypto::sha256, vault::KeyId};

/// One change to be written; the fields of `docs/wire.md §6.3`.
struct Forged<'a> {
    previous: Option<[u8; 32]>,
    version: u8,
    data_type: u8,
    from: u64,
    until: u64,
    key: &'a KeyId,
    previous_key: Option<&'a KeyId>,
    /// As a future version or another encoder might: longer and indefinite arrays, long integers.
    unusual: bool,
}

impl<'a> Forged<'a> {
    fn first(key: &'a KeyId) -> Self {
        let (from, until) = (NOW.0, NOW.0 + 100);
        Self { previous: None, version: 1, data_type: 1, from, until, key, previous_key: None, unusual: false }
    }

    fn next(key: &'a KeyId, previous_key: &'a KeyId, hash: [u8; 32]) -> Self {
        Self { previous: Some(hash), previous_key: Some(previous_key), ..Self::first(key) }
    }

    /// The encoded change and its hash.
    async fn write(self, vault: &MemoryVault) -> (Vec<u8>, [u8; 32]) {
        let public = vault.public_key(self.key).await.unwrap();
        let mut e = Encoder::new(Vec::new());
        if self.unusual { e.begin_array() } else { e.array(5) }.unwrap();
        match self.previous {
            Some(hash) => e.bytes(&hash).unwrap(),
            None => e.null().unwrap(),
        };
        e.encode(&public).unwrap().bool(false).unwrap();
        if self.unusual {
            e.writer_mut().extend([&[0x1b], &self.from.to_be_bytes()[..]].concat());
        } else {
            e.u64(self.from).unwrap();
        }
        e.u64(self.until).unwrap();
        if self.unusual {
            e.str("later").unwrap().tag(Tag::new(9)).unwrap().array(1).unwrap().null().unwrap();
            e.end().unwrap();
        }
        let content = e.into_writer();

        let mut e = Encoder::new(Vec::new());
        e.array(if self.unusual { 4 } else { 3 }).unwrap();
        e.u8(self.version).unwrap().u8(self.data_type).unwrap().bytes(&content).unwrap();
        if self.unusual {
            e.map(1).unwrap().u8(1).unwrap().u8(2).unwrap();
        }
        let data = e.into_writer();
        let hash = sha256(&data);

        let mut e = Encoder::new(Vec::new());
        let signatures = 1 + u64::from(self.previous_key.is_some());
        e.array(if self.unusual { 5 } else { 1 + signatures }).unwrap();
        e.bytes(&data).unwrap().encode(vault.sign(self.key, &hash).await.unwrap()).unwrap();
        match self.previous_key {
            Some(key) => drop(e.encode(vault.sign(key, &hash).await.unwrap()).unwrap()),
            None if self.unusual => drop(e.null().unwrap()),
            None => {}
        }
        if self.unusual {
            e.null().unwrap().u64(u64::MAX).unwrap();
        }
        (e.into_writer(), hash)
    }
}

fn import(changes: &[&[u8]]) -> Result<ChangeHistory, Error> {
    ChangeHistory::import(&[&[0x80 | changes.len() as u8], &changes.concat()[..]].concat())
}

async fn vault_of_two() -> (MemoryVault, KeyId, KeyId) {
    let vault = MemoryVault::in_memory();
    let one = vault.import_ed25519_seed(Zeroizing::new([1; 32])).await.unwrap();
    let two = vault.create_signing_key(KeyKind::P256).await.unwrap();
    (vault, one, two)
}

#[tokio::test]
async fn hand_written_histories_verify() {
    let (vault, one, two) = vault_of_two().await;
    for unusual in [false, true] {
        let (first, hash) = Forged { unusual, ..Forged::first(&one) }.write(&vault).await;
        let next = Forged { unusual, ..Forged::next(&two, &one, hash) };
        let (second, latest) = next.write(&vault).await;
        let history = import(&[&first, &second]).unwrap();
        assert_eq!(*history.identifier().as_bytes(), hash);
        assert_eq!(*history.latest_hash().as_bytes(), latest);
        assert_eq!(*history.latest_key(), vault.public_key(&two).await.unwrap());
        assert_eq!((history.valid_from(), history.valid_until().0), (NOW, NOW.0 + 100));
        // Whatever stood in the signed part is handed on untouched.
        let again = ChangeHistory::import(&history.export()).unwrap();
        assert_eq!(again.compare(&history), Comparison::Equal);

        let list = [&[0x9f], &first[..], &second, &[0xff]].concat();
        assert_eq!(ChangeHistory::import(&list).unwrap().compare(&history), Comparison::Equal);
        let trailing = [&[0x81], &first[..], &[0x00, 0xff]].concat();
        assert_eq!(ChangeHistory::import(&trailing).unwrap().compare(&history), Comparison::Older);
    }
}

#[tokio::test]
async fn changes_must_follow_from_each_other() {
    let (vault, one, two) = vault_of_two().await;
    let (first, hash) = Forged::first(&one).write(&vault).await;
    let next = || Forged::next(&two, &one, hash);
    let broken = |result: Result<ChangeHistory, Error>, at, what| {
        let Err(Error::BrokenChain { index, fault }) = result else { panic!("{result:?}") };
        assert_eq!((index, fault), (at, what));
    };

    let (change, _) = Forged { previous: Some([0; 32]), ..next() }.write(&vault).await;
    broken(import(&[&first, &change]), 1, ChainFault::NotLinked);
    broken(import(&[&change]), 0, ChainFault::NotLinked);
    broken(import(&[&first, &first]), 1, ChainFault::NotLinked);
    let (change, _) = Forged { previous_key: None, ..next() }.write(&vault).await;
    broken(import(&[&first, &change]), 1, ChainFault::NotHandedOver);
    let (change, _) = Forged { previous_key: Some(&two), ..Forged::first(&one) }.write(&vault).await;
    broken(import(&[&change]), 0, ChainFault::NotHandedOver);
    let (change, _) = Forged { from: NOW.0 - 1, ..next() }.write(&vault).await;
    broken(import(&[&first, &change]), 1, ChainFault::BackInTime);
    // Overlapping and shorter validity is allowed.
    let (change, _) = Forged { until: NOW.0 + 1, ..next() }.write(&vault).await;
    import(&[&first, &change]).unwrap();
}

#[tokio::test]
async fn signatures_of_other_keys_and_types_are_refused() {
    let (vault, one, two) = vault_of_two().await;
    let (first, hash) = Forged::first(&one).write(&vault).await;
    let handed_over_by_itself = Forged::next(&two, &two, hash).write(&vault).await.0;
    let refused = import(&[&first, &handed_over_by_itself]);
    assert!(matches!(refused, Err(Error::BadSignature(Signed::Change))));

    for data_type in [0, 2, 3, 4] {
        let (change, _) = Forged { data_type, ..Forged::first(&one) }.write(&vault).await;
        let Err(Error::WrongDataType { expected: 1, found }) = import(&[&change]) else {
            panic!("type {data_type}");
        };
        assert_eq!(found, data_type);
    }
    for version in [0, 2] {
        let (change, _) = Forged { version, ..Forged::first(&one) }.write(&vault).await;
        assert!(matches!(import(&[&change]), Err(Error::UnknownVersion(v)) if v == version));
    }
}
