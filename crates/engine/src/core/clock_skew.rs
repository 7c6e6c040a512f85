//! What is said of clocks that differ.

use crate::api::{Code, Fault};

/// Clocks that differ by less count as the same, in milliseconds: as much as the node accepts (`CLOCK_SKEW`).
pub(crate) const ACCEPTED: u64 = 60_000;

/// How far this computer's clock is from another's, which is `ahead_ms` milliseconds ahead, as a sentence without a full stop.
pub(crate) fn sentence(ahead_ms: i64, whose: &str) -> String {
    let direction = if ahead_ms > 0 { "behind" } else { "ahead of" };
    format!("Your clock is {} {direction} {whose}", span(ahead_ms.unsigned_abs()))
}

/// The other side signed `ahead_ms` milliseconds after this computer's time.
pub(crate) fn fault(ahead_ms: i64, whose: &str) -> Fault {
    let sentence = sentence(ahead_ms, whose);
    Fault::new(
        Code::ClockSkew,
        format!("{sentence}, or more. Set the clock of this computer, or ask them to check theirs."),
    )
}

/// A time span in its largest unit, rounded.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (unit, count) = match seconds {
        0..90 => ("second", seconds),
        90..5_400 => ("minute", (seconds + 30) / 60),
        5_400..129_600 => ("hour", (seconds + 1_800) / 3_600),
        _ => ("day", (seconds + 43_200) / 86_400),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_said_in_words() {
        assert_eq!(sentence(300_000, "Ann's"), "Your clock is 5 minutes behind Ann's");
        assert_eq!(sentence(-7_200_000, "Ann's"), "Your clock is 2 hours ahead of Ann's");
        assert_eq!(sentence(86_400_000 * 400, "Ann's"), "Your clock is 400 days behind Ann's");
        assert_eq!(sentence(1_000, "Ann's"), "Your clock is 1 second behind Ann's");
        let fault = fault(300_000, "Ann's");
        assert_eq!(fault.code, Code::ClockSkew);
        assert!(!fault.message.contains("key"), "{fault}");
    }
}
