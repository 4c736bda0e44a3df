//! Moments, as the contract has them: RFC 3339 with an offset in, UTC with milliseconds out.

use std::fmt;

use jiff::ToSpan;
use jiff::Unit;
use jiff::civil::{Date, DateTime, date};
use thiserror::Error;

/// Milliseconds since 1970-01-01T00:00:00Z; from there to the end of the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Why a text is no timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TimestampError {
    /// Not the grammar of RFC 3339 §5.6 (`date-time`), or no offset.
    #[error("must be an RFC 3339 date and time with an offset, such as `2026-11-25T09:30:00.000Z`")]
    Syntax,
    /// The grammar is right, but there is no such day, hour, minute or offset; or a leap second.
    #[error("must be a real date and time (leap seconds are not accepted)")]
    NoSuchTime,
    /// Before 1970 or after 9999 in UTC.
    #[error("must be between the years 1970 and 9999 in UTC")]
    OutOfRange,
}

/// 9999-12-31T23:59:59.999Z. `jiff::Timestamp` ends a day and a half earlier, so days are counted
/// with its civil dates.
const LAST: i64 = 253_402_300_799_999;

const EPOCH: Date = date(1970, 1, 1);
const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

impl Timestamp {
    /// A moment by its milliseconds since 1970, kept within the years 1970 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LAST))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 `date-time`. `T` and `Z` in either case; digits finer than milliseconds
    /// are cut off.
    ///
    /// # Errors
    /// See [`TimestampError`].
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let mut rest = Digits(text.as_bytes());
        let year = rest.number(4)?;
        rest.one_of(b"-")?;
        let month = rest.number(2)?;
        rest.one_of(b"-")?;
        let day = rest.number(2)?;
        rest.one_of(b"Tt")?;
        let hour = rest.number(2)?;
        rest.one_of(b":")?;
        let minute = rest.number(2)?;
        rest.one_of(b":")?;
        let second = rest.number(2)?;
        let millisecond = rest.fraction()?;
        let offset_minutes = rest.offset()?;

        let small = |number: i32| i8::try_from(number).map_err(|_| TimestampError::NoSuchTime);
        let year = i16::try_from(year).map_err(|_| TimestampError::NoSuchTime)?;
        let local = DateTime::new(
            year,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            0,
        )
        .map_err(|_| TimestampError::NoSuchTime)?;
        let days = EPOCH
            .until((Unit::Day, local.date()))
            .map_err(|_| TimestampError::OutOfRange)?
            .get_days();
        let minutes = i64::from(hour * 60 + minute - offset_minutes);
        let millis = i64::from(days) * MILLIS_PER_DAY
            + minutes * 60_000
            + i64::from(second) * 1000
            + i64::from(millisecond);
        if (0..=LAST).contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(TimestampError::OutOfRange)
        }
    }
}

/// The unread rest of a timestamp's text.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Result<i32, TimestampError> {
        let (head, tail) = self
            .0
            .split_at_checked(digits)
            .ok_or(TimestampError::Syntax)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return Err(TimestampError::Syntax);
        }
        self.0 = tail;
        Ok(head
            .iter()
            .fold(0, |number, digit| number * 10 + i32::from(digit - b'0')))
    }

    fn one_of(&mut self, accepted: &[u8]) -> Result<u8, TimestampError> {
        match self.0.split_first() {
            Some((first, tail)) if accepted.contains(first) => {
                self.0 = tail;
                Ok(*first)
            }
            _ => Err(TimestampError::Syntax),
        }
    }

    /// Milliseconds of an optional fraction of any length.
    fn fraction(&mut self) -> Result<i32, TimestampError> {
        if self.one_of(b".").is_err() {
            return Ok(0);
        }
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if length == 0 {
            return Err(TimestampError::Syntax);
        }
        let (digits, tail) = self.0.split_at(length);
        self.0 = tail;
        let padded = digits.iter().chain(b"00").take(3);
        Ok(padded.fold(0, |millis, digit| millis * 10 + i32::from(digit - b'0')))
    }

    /// Minutes east of UTC; nothing may follow.
    fn offset(&mut self) -> Result<i32, TimestampError> {
        let minutes = match self.one_of(b"Zz+-")? {
            b'Z' | b'z' => 0,
            sign => {
                let hours = self.number(2)?;
                self.one_of(b":")?;
                let minutes = self.number(2)?;
                if hours > 23 || minutes > 59 {
                    return Err(TimestampError::NoSuchTime);
                }
                (hours * 60 + minutes) * if sign == b'-' { -1 } else { 1 }
            }
        };
        if self.0.is_empty() {
            Ok(minutes)
        } else {
            Err(TimestampError::Syntax)
        }
    }
}

impl fmt::Display for Timestamp {
    /// `2026-11-25T09:30:00.000Z`. Digit by digit, since every answer has two of them an event:
    /// four times as fast as by the macros for formatting.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0 / MILLIS_PER_DAY, self.0 % MILLIS_PER_DAY);
        let day = EPOCH.checked_add(days.days()).map_err(|_| fmt::Error)?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (place, number) in [
            (0..4, i64::from(day.year())),
            (5..7, i64::from(day.month())),
            (8..10, i64::from(day.day())),
            (11..13, millis / 3_600_000),
            (14..16, millis / 60_000 % 60),
            (17..19, millis / 1000 % 60),
            (20..23, millis % 1000),
        ] {
            let mut rest = number;
            for digit in text[place].iter_mut().rev() {
                // A remainder of ten is one digit.
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(text: &str) -> String {
        Timestamp::parse(text).unwrap().to_string()
    }

    #[test]
    fn times_are_answered_in_utc_with_milliseconds() {
        assert_eq!(answer("2026-11-25T09:30:00Z"), "2026-11-25T09:30:00.000Z");
        assert_eq!(answer("2026-11-25t09:30:00.1z"), "2026-11-25T09:30:00.100Z");
        assert_eq!(
            answer("2026-11-25T09:30:00.1239999+02:30"),
            "2026-11-25T07:00:00.123Z"
        );
        assert_eq!(
            answer("2024-02-29T23:59:59-00:00"),
            "2024-02-29T23:59:59.000Z"
        );
        assert_eq!(
            answer("1969-12-31T23:00:00-01:00"),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            answer("9999-12-31T23:59:59.999999Z"),
            "9999-12-31T23:59:59.999Z"
        );
        assert_eq!(answer("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_no_date_and_time_is_refused() {
        use TimestampError::{NoSuchTime, OutOfRange, Syntax};
        for (text, error) in [
            ("", Syntax),
            ("2026-11-25", Syntax),
            ("2026-11-25T09:30:00", Syntax),
            ("2026-11-25 09:30:00Z", Syntax),
            ("2026-11-25T09:30Z", Syntax),
            ("2026-W48-3T09:30:00Z", Syntax),
            ("2026-330T09:30:00Z", Syntax),
            ("20261125T093000Z", Syntax),
            ("2026-11-25T09:30:00.Z", Syntax),
            ("2026-11-25T09:30:00,5Z", Syntax),
            ("2026-11-25T09:30:00+0200", Syntax),
            ("2026-11-25T09:30:00+02", Syntax),
            ("2026-11-25T09:30:00Z ", Syntax),
            ("2026-11-25T09:30:00Z[UTC]", Syntax),
            ("+02026-11-25T09:30:00Z", Syntax),
            ("２026-11-25T09:30:00Z", Syntax),
            ("1764063000", Syntax),
            ("2026-02-29T00:00:00Z", NoSuchTime),
            ("2026-13-01T00:00:00Z", NoSuchTime),
            ("2026-00-01T00:00:00Z", NoSuchTime),
            ("2026-11-31T00:00:00Z", NoSuchTime),
            ("2026-11-25T24:00:00Z", NoSuchTime),
            ("2026-11-25T23:60:00Z", NoSuchTime),
            ("2026-06-30T23:59:60Z", NoSuchTime),
            ("2026-11-25T09:30:00+24:00", NoSuchTime),
            ("2026-11-25T09:30:00+02:60", NoSuchTime),
            ("1969-12-31T23:59:59.999Z", OutOfRange),
            ("1970-01-01T00:00:00+00:01", OutOfRange),
            ("9999-12-31T23:59:59-00:01", OutOfRange),
            ("0000-01-01T00:00:00Z", OutOfRange),
        ] {
            assert_eq!(Timestamp::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_answered_reads_back_as_the_same_moment(millis in 0..=LAST) {
            let moment = Timestamp::from_millis(millis);
            prop_assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Timestamp::parse(&text);
        }
    }
}
