//! A session that needs more of its agent than its queue does.

use crate::session::Place;

use super::profile::ability;

/// The place with further skills: a name asks for the lowest level, `name:3` for that one.
#[must_use]
pub fn needing(mut place: Place, skills: &[String]) -> Place {
    for skill in skills {
        let (name, level) = match skill.rsplit_once(':') {
            Some((name, level)) => (name, level.parse().unwrap_or(1)),
            None => (skill.as_str(), 1),
        };
        let wanted = ability(name.trim(), level);
        if !place.skills.contains(&wanted) {
            place.skills.push(wanted);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_asks_for_its_lowest_level_unless_it_says_more() {
        let place = Place {
            queue: "q".to_owned(),
            priority: 1,
            skills: vec!["french:1".to_owned()],
            offer_ms: 1,
        };
        let skills = ["french", "refunds:3", "a:b"].map(str::to_owned);
        assert_eq!(needing(place, &skills).skills, ["french:1", "refunds:3", "a:1"]);
    }
}
