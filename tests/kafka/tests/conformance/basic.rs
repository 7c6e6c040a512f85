//! What every client may do: `docs/wire.md` §15.2 without the extension.

use super::{Services, unique};
use crate::peer::Peer;
use postern_testkit::{TIMEOUT, eventually};

fn peer(services: &Services) -> Peer {
    Peer::connect(services.hub.address())
}

/// Pulls until there are so many records: those of Kafka may come one after the other.
fn pull(peer: &mut Peer, stream: &[u8], mut index: u64, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    eventually("the records", TIMEOUT, || {
        let records = peer.pull(stream, index, (count - all.len()) as u64).unwrap();
        for (at, data) in records {
            assert!(at >= index);
            index = at + 1;
            all.push(data);
        }
        (all.len() >= count).then_some(())
    });
    all
}

pub(super) fn a_stream_is_found_by_its_name(services: &mut Services) {
    let mut peer = peer(services);
    let name = unique("alice_to_bob");
    let (said, stream) = peer.create(services.stream, Some(&name)).unwrap();
    assert_eq!(said, name);
    peer.push(&stream, b"one").unwrap().expect("it is stored");
    let mut other = self::peer(services);
    let (said, found) = other.create(services.stream, Some(&name)).unwrap();
    assert_eq!(said, name);
    assert_eq!(pull(&mut other, &found, 0, 1), [b"one"]);
}

pub(super) fn a_stream_without_a_name_gets_one(services: &mut Services) {
    let mut peer = peer(services);
    let (first, _) = peer.create(services.stream, None).unwrap();
    let (second, _) = peer.create(services.stream, None).unwrap();
    for name in [&first, &second] {
        let digits = name.strip_prefix("generated_").expect(name);
        assert!(digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{name}");
    }
    assert_ne!(first, second);
}

pub(super) fn names_that_kafka_does_not_take_are_refused(services: &mut Services) {
    let mut peer = peer(services);
    let long = "a".repeat(201);
    for name in ["", "a/b", "a b", "ä", "a\0", "../a", &long] {
        let refused = peer.create(services.stream, Some(name));
        assert!(refused.as_ref().is_err_and(|why| !why.is_empty()), "{name}: {refused:?}");
    }
    let name = format!("{}.A-z_9", unique("fine"));
    assert_eq!(peer.create(services.stream, Some(&name)).unwrap().0, name);
}

pub(super) fn records_are_read_in_order(services: &mut Services) {
    let mut peer = peer(services);
    let (_, stream) = peer.create(services.stream, Some(&unique("order"))).unwrap();
    let indexes: Vec<u64> = (0..20_u8).map(|number| peer.push(&stream, &[number]).unwrap().unwrap()).collect();
    assert!(indexes.windows(2).all(|pair| pair[0] < pair[1]), "{indexes:?}");
    let all: Vec<Vec<u8>> = (0..20).map(|number| vec![number]).collect();
    assert_eq!(pull(&mut peer, &stream, 0, 20), all);
    assert_eq!(pull(&mut peer, &stream, indexes[5], 15), all[5..]);
    let limited = peer.pull(&stream, indexes[0], 8).unwrap();
    assert!(limited.len() <= 8);
    assert!(peer.pull(&stream, indexes[19] + 1, 8).unwrap().is_empty());
    assert!(peer.pull(&stream, indexes[19] + 1_000, 8).unwrap().is_empty());
}

pub(super) fn records_of_any_size_that_fits_a_frame(services: &mut Services) {
    let mut peer = peer(services);
    let (_, stream) = peer.create(services.stream, Some(&unique("sizes"))).unwrap();
    let sizes = [0, 1, 65_536, 900_000];
    let records: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
    for record in &records {
        peer.push(&stream, record).unwrap().expect("it is stored");
    }
    assert!(pull(&mut peer, &stream, 0, records.len()) == records);
}

pub(super) fn a_place_is_kept_for_each_client_and_stream(services: &mut Services) {
    let mut peer = peer(services);
    let (one, two) = (unique("one"), unique("two"));
    for name in [&one, &two] {
        let (_, stream) = peer.create(services.stream, Some(name)).unwrap();
        (0..9_u8).for_each(|number| assert!(peer.push(&stream, &[number]).unwrap().is_some()));
    }
    let client = unique("client");
    assert_eq!(peer.index(services.index, &client, &one), Ok(None));
    peer.save_index(services.index, &client, &one, 3);
    eventually("the index", TIMEOUT, || (peer.index(services.index, &client, &one) == Ok(Some(3))).then_some(()));
    peer.save_index(services.index, &client, &one, 9);
    eventually("the index", TIMEOUT, || (peer.index(services.index, &client, &one) == Ok(Some(9))).then_some(()));
    assert_eq!(peer.index(services.index, &client, &two), Ok(None));
    assert_eq!(peer.index(services.index, &unique("client"), &one), Ok(None));
}

pub(super) fn partitions_are_logs_of_their_own(services: &mut Services) {
    let mut peer = peer(services);
    let name = unique("parts");
    let mut partitions = peer.create_partitioned(services.stream, &name, 3).unwrap();
    partitions.sort();
    assert_eq!(partitions.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2]);
    for (number, stream) in &partitions {
        peer.push(stream, &[*number as u8]).unwrap().expect("it is stored");
    }
    for (number, stream) in &partitions {
        assert_eq!(pull(&mut peer, stream, 0, 1), [[*number as u8]]);
    }
    let client = unique("client");
    peer.save_partition_index(services.index, &client, &name, 2, 1);
    let saved = |peer: &mut Peer, partition| peer.partition_index(services.index, &client, &name, partition);
    eventually("the index", TIMEOUT, || (saved(&mut peer, 2) == Ok(Some(1))).then_some(()));
    assert_eq!(saved(&mut peer, 1), Ok(None));
}

pub(super) fn what_is_acknowledged_outlives_the_hub(services: &mut Services) {
    let mut peer = peer(services);
    let (name, client) = (unique("kept"), unique("client"));
    let (_, stream) = peer.create(services.stream, Some(&name)).unwrap();
    (0..5_u8).for_each(|number| assert!(peer.push(&stream, &[number]).unwrap().is_some()));
    peer.save_index(services.index, &client, &name, 4);
    eventually("the index", TIMEOUT, || (peer.index(services.index, &client, &name) == Ok(Some(4))).then_some(()));
    services.hub.kill_and_restart();

    let mut peer = self::peer(services);
    let (_, stream) = peer.create(services.stream, Some(&name)).unwrap();
    if services.durable {
        assert_eq!(pull(&mut peer, &stream, 0, 5), [[0], [1], [2], [3], [4]]);
        // An index that is behind only repeats records.
        assert!(matches!(peer.index(services.index, &client, &name), Ok(None | Some(4))));
        peer.save_index(services.index, &client, &name, 5);
        eventually("the index", TIMEOUT, || (peer.index(services.index, &client, &name) == Ok(Some(5))).then_some(()));
        services.hub.stop_and_restart();
        assert_eq!(self::peer(services).index(services.index, &client, &name), Ok(Some(5)));
    } else {
        assert!(peer.pull(&stream, 0, 8).unwrap().is_empty());
    }
}

pub(super) fn nonsense_harms_nobody(services: &mut Services) {
    let mut victim = peer(services);
    let (_, stream) = victim.create(services.stream, Some(&unique("calm"))).unwrap();
    let mut hostile = peer(services);
    for to in [services.stream.as_bytes(), services.index.as_bytes(), &stream] {
        for (protocol, data) in [
            ("stream_create", &b"\x01\xff\xff\xff\xff\x0f"[..]),
            ("stream_push", b"\x01"),
            ("stream_pull", b""),
            ("stream_pull", b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff\xff\xff\xff\x0f"),
            ("stream_index", b"\x02"),
            ("no_such_protocol", b"\x00"),
            ("", b""),
        ] {
            hostile.send(to, protocol, data);
        }
    }
    victim.push(&stream, b"still here").unwrap().expect("it is stored");
    assert_eq!(pull(&mut victim, &stream, 0, 1), [b"still here"]);
}
