//! The race between the addresses of one name (RFC 8305, "happy eyeballs"): a later one is tried while earlier ones have not
//! answered, so that one that answers nothing delays nobody for long.

use postern_env::task::JoinSet;
use postern_env::time::{self, Duration, Instant};
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// How long an address has to answer before the next is tried too: the *Connection Attempt Delay* that RFC 8305 section 5
/// recommends.
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried. Chosen: all of them have been begun within 2 s, and whoever controls a name cannot
/// make a node connect to more.
const ADDRESSES_MAX: usize = 8;

/// What became of each address that was tried.
#[derive(Debug)]
pub(crate) struct ConnectFailures(Vec<(SocketAddr, Option<io::Error>)>);

impl ConnectFailures {
    /// Whether nothing came from any address.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.0.iter().all(|(_, error)| error.as_ref().is_none_or(|error| error.kind() == io::ErrorKind::TimedOut))
    }

    /// Whether there was one address, from which nothing came in time.
    pub(crate) fn is_unanswered_alone(&self) -> bool {
        matches!(self.0.as_slice(), [(_, None)])
    }

    /// What says most about why: a refusal shows that the machine is there, other errors that it was asked for.
    pub(crate) fn kind(&self) -> io::ErrorKind {
        let kinds = || self.0.iter().filter_map(|(_, error)| error.as_ref().map(io::Error::kind));
        let is_refused = kinds().any(|kind| kind == io::ErrorKind::ConnectionRefused);
        match is_refused {
            true => io::ErrorKind::ConnectionRefused,
            false if self.is_unanswered() => io::ErrorKind::TimedOut,
            false => kinds().find(|kind| *kind != io::ErrorKind::TimedOut).unwrap_or(io::ErrorKind::TimedOut),
        }
    }

    /// As the error of one connection. That of a single address is the system's own.
    pub(crate) fn into_io(mut self) -> io::Error {
        match self.0.as_mut_slice() {
            [(_, error)] if error.is_some() => error.take().unwrap_or_else(|| io::ErrorKind::TimedOut.into()),
            _ => io::Error::new(self.kind(), self),
        }
    }
}

impl fmt::Display for ConnectFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            match error {
                Some(error) => write!(f, "{separator}{address}: {error}")?,
                None => write!(f, "{separator}{address}: no answer")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectFailures {}

/// The order in which addresses are tried (RFC 8305 section 4): the resolver's, with the families in turn, so that a family
/// that does not work delays by one attempt. The first keeps its place; those above the limit are left out.
pub(super) fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let is_of_first = |address: &&SocketAddr| address.is_ipv4() == first.is_ipv4();
    let mut same = addresses.iter().filter(is_of_first);
    let mut other = addresses.iter().filter(|address| !is_of_first(address));
    let mut ordered = Vec::new();
    while ordered.len() < ADDRESSES_MAX {
        let pair = [same.next(), other.next()];
        if pair == [None, None] {
            break;
        }
        for address in pair.into_iter().flatten() {
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// Connects to the first address that accepts. The next one is tried when those before have not answered for
/// `delay`, and at once when one of them fails. What else is under way when the race ends, or is dropped, is
/// cancelled.
///
/// `connect` is one attempt: the system's, or that of a test.
pub(super) async fn race<S, F>(
    addresses: &[SocketAddr],
    (delay, deadline): (Duration, Instant),
    connect: impl Fn(SocketAddr) -> F,
) -> Result<S, ConnectFailures>
where
    S: Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
{
    let (mut attempts, mut tried) = (JoinSet::new(), Vec::new());
    let mut waiting = addresses.iter();
    loop {
        let begun = waiting.next();
        if let Some(&address) = begun {
            let (index, attempt) = (tried.len(), connect(address));
            tried.push((address, None));
            attempts.spawn(async move { (index, attempt.await) });
        }
        let next = match begun {
            Some(_) => deadline.min(time::now() + delay),
            None => deadline,
        };
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok((_, Ok(socket)))) => return Ok(socket),
                Some(Ok((index, Err(error)))) => tried[index].1 = Some(error),
                Some(Err(_)) => {}
                None => return Err(ConnectFailures(tried)),
            },
            () = time::sleep_until(next) => {
                if next == deadline {
                    return Err(ConnectFailures(tried));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::lock;
    use std::sync::{Arc, Mutex};

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// What an address of a test does.
    #[derive(Clone, Copy)]
    enum Behaviour {
        Accepts,
        AcceptsLate,
        Refuses,
        IsSilent,
    }
    use Behaviour::*;

    /// Longer than any test.
    const NEVER: Duration = Duration::from_secs(3600);
    const MS: Duration = Duration::from_millis(1);

    /// Races between addresses `192.0.2.N:1`; which of them won, and in which order they were tried.
    async fn raced(
        behaviours: &[Behaviour],
        delay: Duration,
        within: Duration,
    ) -> (Result<usize, ConnectFailures>, Vec<usize>) {
        let tried = Arc::new(Mutex::new(Vec::new()));
        let list: Vec<SocketAddr> =
            (0..behaviours.len()).map(|number| format!("192.0.2.{number}:1").parse().unwrap()).collect();
        let raced = race(&list, (delay, time::now() + within), |address| {
            let number = list.iter().position(|it| *it == address).unwrap();
            let behaviour = behaviours[number];
            lock(&tried).push(number);
            async move {
                match behaviour {
                    Accepts => Ok(number),
                    AcceptsLate => {
                        time::sleep(20 * MS).await;
                        Ok(number)
                    }
                    Refuses => Err(io::ErrorKind::ConnectionRefused.into()),
                    IsSilent => std::future::pending().await,
                }
            }
        })
        .await;
        let tried = lock(&tried).clone();
        (raced, tried)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_passed_over() {
        let (won, tried) = raced(&[IsSilent, IsSilent, Accepts, IsSilent], MS, NEVER).await;
        assert_eq!((won.unwrap(), &tried[..3]), (2, &[0, 1, 2][..]));
    }

    #[tokio::test]
    async fn an_address_that_fails_delays_nothing() {
        let (won, tried) = raced(&[Refuses, Refuses, Accepts, Accepts], NEVER, NEVER).await;
        assert_eq!((won.unwrap(), tried), (2, vec![0, 1, 2]));
    }

    #[tokio::test]
    async fn one_that_answers_late_can_still_win() {
        assert_eq!(raced(&[AcceptsLate, IsSilent], MS, NEVER).await.0.unwrap(), 0);
    }

    #[tokio::test]
    async fn all_failures_are_named_and_the_race_is_bounded() {
        let (lost, tried) = raced(&[IsSilent, Refuses], MS, 20 * MS).await;
        let lost = lost.unwrap_err();
        assert_eq!((tried, lost.kind()), (vec![0, 1], io::ErrorKind::ConnectionRefused));
        assert_eq!(lost.to_string(), "192.0.2.0:1: no answer; 192.0.2.1:1: connection refused");
        assert_eq!(lost.into_io().kind(), io::ErrorKind::ConnectionRefused);
        let (lost, _) = raced(&[IsSilent, IsSilent], MS, 20 * MS).await;
        assert!(lost.as_ref().unwrap_err().is_unanswered());
        assert_eq!(lost.unwrap_err().into_io().kind(), io::ErrorKind::TimedOut);
        assert!(raced(&[], MS, NEVER).await.0.is_err());
    }

    #[test]
    fn families_take_turns_and_few_addresses_are_tried() {
        let resolved = addresses(&["[::1]:1", "[::2]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turn(&resolved), expected);
        let many: Vec<SocketAddr> = (0..100u8).map(|it| SocketAddr::from(([10, 0, 0, it], 1))).collect();
        assert_eq!(in_turn(&many), many[..ADDRESSES_MAX]);
        assert!(in_turn(&[]).is_empty());
    }
}
