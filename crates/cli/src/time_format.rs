//! Parsing and formatting of durations and points in time, in this machine's time zone.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use postern_engine::api::UnixMillis;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
/// Longest duration accepted, in seconds: ten years, so that sums stay far from overflow.
const MAX_SECONDS: u64 = 10 * 366 * 86_400;

/// This machine's clock.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Parses a duration: `90s`, `15m`, `12h`, `7d` or `2w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds);
    match (number.parse::<u64>(), unit) {
        (Ok(number), Some(unit)) if (1..=MAX_SECONDS).contains(&number.saturating_mul(unit)) => {
            Ok(Duration::from_secs(number * unit))
        }
        _ => Err("a duration is a number and s, m, h, d or w, for instance 7d".into()),
    }
}

/// Parses a point in time: a duration from now, a day up to its end (`2026-12-24`), or a time of a day
/// (`2026-12-24T18:00`), both in this machine's time zone.
pub(crate) fn until(text: &str) -> Result<UnixMillis, String> {
    let now = now();
    if let Ok(duration) = duration(text) {
        return Ok(now.plus(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)));
    }
    let wrong = "a time is a duration (12h), a day (2026-12-24) or a time of a day (2026-12-24T18:00)";
    let time = match text.parse::<civil::Date>() {
        Ok(day) if !text.contains(['T', ' ', ':']) => day.at(23, 59, 59, 0),
        _ => text.parse::<civil::DateTime>().map_err(|_| wrong)?,
    };
    let zoned = time.to_zoned_datetime(TimeZone::system()).map_err(|_| wrong)?;
    match u64::try_from(zoned.timestamp().as_millisecond()) {
        Ok(at) if at > now.0 => Ok(UnixMillis(at)),
        _ => Err(format!("{text} is in the past")),
    }
}

/// Formats a time in this machine's time zone, to the minute.
pub(crate) fn to_minute(at: UnixMillis) -> String {
    zoned(at).map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// Formats a time in this machine's time zone, to the second.
pub(crate) fn to_second(at: UnixMillis) -> String {
    zoned(at).map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn zoned(at: UnixMillis) -> Option<ZonedDateTime> {
    let timestamp = Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    Some(timestamp.to_zoned_datetime(TimeZone::system()))
}

/// Formats an elapsed time in its two largest units.
pub(crate) fn elapsed(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "7", "d", "0d", "-1d", "7 d", "1y", "99999999999999999999d", "9999w"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_lasts_to_its_end_and_the_past_is_refused() {
        let day = until("2999-12-24").unwrap();
        let eve = until("2999-12-24T18:00").unwrap();
        assert!(day > eve && day.0 - eve.0 < 6 * 3_600_000, "{day:?} {eve:?}");
        assert!(until("12h").unwrap() > now().plus(11 * 3_600_000));
        for wrong in ["2001-01-01", "tomorrow", "2999-13-01", "", "24:00"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_elapsed_time_has_its_two_largest_units() {
        assert_eq!(elapsed(999), "999 ms");
        assert_eq!(elapsed(61_000), "1 min 1 s");
        assert_eq!(elapsed(90_000_000), "1 d 1 h");
    }
}
