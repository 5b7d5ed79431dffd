//! When somebody is there, in the tenant's zone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Kind, Object, Problems};
use crate::provisioning::snapshot::{Shelf, Shelves};

/// A weekly schedule with exceptions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct OpeningHours {
    /// Name queues and endpoints refer to.
    pub name: String,
    /// Open at any time, holidays excepted.
    pub always: bool,
    /// Spans such as `09:00-17:30` per day (`monday` … `sunday`). `24:00` is the day's end.
    pub weekly: BTreeMap<String, Vec<String>>,
    /// Days that differ.
    pub holidays: Vec<Holiday>,
    /// IANA zone; absent means the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// A day that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Holiday {
    /// Which day, in the zone of the schedule.
    pub date: Date,
    /// For administrators.
    #[serde(default)]
    pub name: String,
    /// Spans it is open; empty means closed.
    #[serde(default)]
    pub hours: Vec<String>,
}

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl OpeningHours {
    /// Whether it is open at a moment. A span is closed at its end. An unknown zone counts as UTC; `validate`
    /// refuses it when it is written.
    pub fn is_open(&self, at: Timestamp, tenant_zone: &str) -> bool {
        let zone = self.time_zone.as_deref().unwrap_or(tenant_zone);
        let local = at
            .to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC))
            .datetime();
        let within = |spans: &[String]| {
            spans
                .iter()
                .filter_map(|span| parse_span(span))
                .any(|span| span.contains(local.time()))
        };
        if let Some(holiday) = self.holidays.iter().find(|holiday| holiday.date == local.date()) {
            return within(&holiday.hours);
        }
        let weekday = local.date().weekday();
        let day = DAYS
            .iter()
            .find(|(_, day)| *day == weekday)
            .map_or("", |(name, _)| name);
        self.always || self.weekly.get(day).is_some_and(|spans| within(spans))
    }
}

/// From (inclusive) to (exclusive); no end means the day's.
struct Span {
    from: Time,
    to: Option<Time>,
}

impl Span {
    fn contains(&self, time: Time) -> bool {
        self.from <= time && self.to.is_none_or(|to| time < to)
    }
}

fn parse_span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    let from = parse_time(from)?;
    let to = if to == "24:00" {
        None
    } else {
        Some(parse_time(to)?)
    };
    to.is_none_or(|to| from < to).then_some(Span { from, to })
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

impl Object for OpeningHours {
    const KIND: Kind = Kind::OpeningHours;

    fn name(&self) -> &str {
        &self.name
    }

    fn validate(&self, problems: &mut Problems) {
        problems.name("name", &self.name);
        if let Some(zone) = &self.time_zone {
            problems.time_zone("timeZone", zone);
        }
        for (day, spans) in &self.weekly {
            if !DAYS.iter().any(|(name, _)| name == day) {
                problems.bad(format!("weekly.{day}"), "not a day from monday to sunday");
            }
            if spans.iter().any(|span| parse_span(span).is_none()) {
                problems.bad(format!("weekly.{day}"), "not a list of spans such as 09:00-17:30");
            }
        }
        problems.at_most("holidays", self.holidays.len(), 1000);
        for holiday in &self.holidays {
            if holiday.hours.iter().any(|span| parse_span(span).is_none()) {
                let field = format!("holidays.{}", holiday.date);
                problems.bad(field, "not a list of spans such as 09:00-17:30");
            }
        }
    }

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.opening_hours
    }

    fn shelf_mut(shelves: &mut Shelves) -> &mut Shelf<Self> {
        &mut shelves.opening_hours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office() -> OpeningHours {
        serde_json::from_value(serde_json::json!({
            "name": "office",
            "weekly": {"friday": ["09:00-12:00", "13:00-24:00"]},
            "holidays": [{"date": "2025-12-26", "hours": ["10:00-11:00"]}],
        }))
        .unwrap()
    }

    fn open(at: &str, zone: &str) -> bool {
        office().is_open(at.parse().unwrap(), zone)
    }

    #[test]
    fn hours_are_those_of_the_tenants_zone() {
        // A Friday: 08:30 UTC is 09:30 in Berlin.
        assert!(!open("2025-01-17T08:30:00Z", "Etc/UTC"));
        assert!(open("2025-01-17T08:30:00Z", "Europe/Berlin"));
    }

    #[test]
    fn a_span_is_closed_at_its_end() {
        assert!(open("2025-01-17T11:59:59Z", "Etc/UTC"));
        assert!(!open("2025-01-17T12:00:00Z", "Etc/UTC"));
        assert!(open("2025-01-17T23:59:59Z", "Etc/UTC"));
    }

    #[test]
    fn a_holiday_replaces_its_day() {
        assert!(open("2025-12-26T10:30:00Z", "Etc/UTC"));
        assert!(!open("2025-12-26T09:30:00Z", "Etc/UTC"));
    }

    #[test]
    fn bad_spans_are_refused() {
        for span in ["9-17", "09:00", "17:00-09:00", "09:00-25:00", "aa:bb-cc:dd"] {
            assert!(parse_span(span).is_none(), "{span}");
        }
    }
}
