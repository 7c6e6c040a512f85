//! Portals whose ends are far from each other.

use super::bytes;
use super::topology::{Topology, ask, echo};
use postern_node::portal::INITIAL_WINDOW;
use postern_testkit::in_time;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flow_control_window_grows_with_the_round_trip_time() {
    let data = bytes(16 << 20);
    let (topology, distance) = Topology::with_distance(&echo().await, Duration::from_millis(40)).await;
    in_time(async {
        let (mut read, mut write) = topology.connect().await.into_split();
        let sent = data.clone();
        tokio::spawn(async move { write.write_all(&sent).await });
        let mut back = vec![0; data.len()];
        read.read_exact(&mut back).await.unwrap();
        assert!(back == data);
    })
    .await;
    // Both directions share the way.
    assert!(distance.most() as u64 > 4 * INITIAL_WINDOW, "{}", distance.most());
}

/// The channel was opened over a short way, which became long: the window follows what liveness probes measure, at both ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flow_control_window_follows_a_round_trip_time_that_grew() {
    let data = bytes(8 << 20);
    let (topology, distance) = Topology::with_distance(&echo().await, Duration::ZERO).await;
    in_time(async {
        // A stream tells the inlet that the outlet can be probed.
        assert_eq!(ask(topology.address(), b'x').await.unwrap(), b'x');
        distance.set(Duration::from_millis(40));
        // One probe may have been under way, and one is sent before the outlet is told of what the third has shown.
        let mut probes = vec![topology.inlet.probe()];
        while probes.len() < 6 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let last = topology.inlet.probe();
            if probes.last() != Some(&last) {
                probes.push(last);
            }
        }
        let (mut read, mut write) = topology.connect().await.into_split();
        let sent = data.clone();
        tokio::spawn(async move { write.write_all(&sent).await });
        let mut back = vec![0; data.len()];
        read.read_exact(&mut back).await.unwrap();
        assert!(back == data);
    })
    .await;
    assert!(distance.most() as u64 > 4 * INITIAL_WINDOW, "{}", distance.most());
}
