//! The names of a schema: how WIT names are spelled in protobuf, and which one gives way where two would be the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The file of `google.protobuf.Empty`. It is in a set if another file imports it, as reflection needs it, though every
/// protobuf compiler brings it along.
pub const EMPTY_PATH: &str = "google/protobuf/empty.proto";

/// The full name of the service of an interface: `a.b.v1.Counter` for `a:b/counter@1.2.0`.
pub fn service_name(interface: &str) -> String {
    let place = Place::of(interface);
    place.full_name(&place.service)
}

/// The name of the method of a function: `AddAll` for `add-all`.
pub fn method_name(function: &str) -> String {
    pascal_case(function)
}

/// Where the messages and the service of an interface stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The protobuf package, such as `a.b.v1`; empty for an interface with a plain name.
    pub package: String,
    /// The name of the service in it.
    pub service: String,
    /// The file, such as `a/b/v1/counter.proto`. Versions of an interface that are compatible share it.
    pub path: String,
}

impl Place {
    pub fn of(interface: &str) -> Place {
        let (unversioned, version) = match interface.split_once('@') {
            Some((unversioned, version)) => (unversioned, Some(version)),
            None => (interface, None),
        };
        let (package, name) = unversioned.rsplit_once('/').unwrap_or(("", unversioned));
        let mut segments: Vec<_> = package.split([':', '/']).filter(|part| !part.is_empty()).map(snake_case).collect();
        segments.extend(version.map(version_segment));
        let package = segments.join(".");
        segments.push(snake_case(name));
        Place { package, service: pascal_case(name), path: format!("{}.proto", segments.join("/")) }
    }

    /// The name of something in the package with the package.
    pub fn full_name(&self, name: &str) -> String {
        if self.package.is_empty() { name.to_owned() } else { format!("{}.{name}", self.package) }
    }
}

/// The part of a version that may not change without breaking callers.
fn version_segment(version: &str) -> String {
    match semver::Version::parse(version) {
        Ok(version) if version.pre.is_empty() => match (version.major, version.minor, version.patch) {
            (0, 0, patch) => format!("v0_0_{patch}"),
            (0, minor, _) => format!("v0_{minor}"),
            (major, ..) => format!("v{major}"),
        },
        // A pre-release promises nothing, so all of it counts.
        _ => format!("v{version}").to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
    }
}

/// `word-count` as `word_count`.
pub(super) fn snake_case(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

/// `word-count` as `WordCount`.
pub(super) fn pascal_case(name: &str) -> String {
    let capitalised = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    name.split('-').map(capitalised).collect()
}

/// The names that are taken in one scope of a schema.
#[derive(Debug, Default)]
pub(super) struct Scope {
    taken: HashSet<String>,
    /// The last number that was tried for a name. Those before it are taken, so nobody tries them again: a component may
    /// have 100,000 fields that want one name.
    numbers: HashMap<String, u32>,
}

impl Scope {
    /// Takes `name`, or, if that is taken, `name_2`, `name_3`, ….
    pub fn claim(&mut self, name: &str) -> String {
        self.claim_as(name, str::to_owned)
    }

    /// Takes the name of a field or of a case of an enum. `protoc` refuses two of which only the underscores or the
    /// case of the letters differ, since they have one name in JSON.
    pub fn claim_member(&mut self, name: &str) -> String {
        self.claim_as(name, |name| name.replace('_', "").to_ascii_lowercase())
    }

    fn claim_as(&mut self, name: &str, key: impl Fn(&str) -> String) -> String {
        if self.taken.insert(key(name)) {
            return name.to_owned();
        }
        let last = self.numbers.entry(key(name)).or_insert(1);
        loop {
            *last += 1;
            let numbered = format!("{name}_{last}");
            if self.taken.insert(key(&numbered)) {
                return numbered;
            }
        }
    }
}

/// What stands at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Item {
    Service,
    Request(String),
    Response(String),
    /// What the field of a response refers to, if that has no name in WIT.
    Result(String),
    /// A named type.
    Type(String),
}

impl Item {
    fn is_named_in_wit(&self) -> bool {
        matches!(self, Item::Service | Item::Type(_))
    }

    fn wish(&self, service: &str) -> String {
        match self {
            Item::Service => service.to_owned(),
            Item::Request(method) => format!("{}Request", pascal_case(method)),
            Item::Response(method) => format!("{}Response", pascal_case(method)),
            Item::Result(method) => format!("{}Result", pascal_case(method)),
            Item::Type(name) => pascal_case(name),
        }
    }
}

/// The names of everything at the top of the files of a schema.
#[derive(Debug, Default)]
pub(super) struct TopNames {
    /// By path and item.
    names: BTreeMap<(String, Item), String>,
    /// By package.
    scopes: BTreeMap<String, Scope>,
    /// The names of the cases of an enum, by its full name and its cases.
    cases: HashMap<(String, Vec<String>), Vec<String>>,
}

/// Who gets a name first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A service: callers know its name.
    Service,
    /// Something that nobody else claims the name of; a type claims its name before the messages of a method do.
    Sole,
    /// One of several in the package, which are put behind the names of their interfaces.
    Shared,
}

impl TopNames {
    /// Names `items`, so that no name depends on the order in which the items were found.
    pub fn assign(items: &BTreeSet<(Place, Item)>) -> TopNames {
        let mut given: BTreeMap<(&str, String), u32> = BTreeMap::new();
        let mut all = BTreeMap::new();
        for (place, item) in items {
            let wish = (place.package.as_str(), item.wish(&place.service));
            *given.entry(wish.clone()).or_default() += u32::from(item.is_named_in_wit());
            *all.entry(wish).or_insert(0_u32) += 1;
        }
        let rank = |place: &Place, item: &Item| {
            let wish = (place.package.as_str(), item.wish(&place.service));
            match item {
                Item::Service => Rank::Service,
                Item::Type(_) if given[&wish] == 1 => Rank::Sole,
                _ if all[&wish] == 1 => Rank::Sole,
                _ => Rank::Shared,
            }
        };
        let mut ordered: Vec<_> = items.iter().map(|(place, item)| (rank(place, item), place, item)).collect();
        // Names behind an interface's name come last, so that they give way to those that are what they are.
        ordered.sort();
        let mut top = TopNames::default();
        for (rank, place, item) in ordered {
            let wish = item.wish(&place.service);
            let wish = if rank == Rank::Shared { format!("{}{wish}", place.service) } else { wish };
            let name = top.scopes.entry(place.package.clone()).or_default().claim(&wish);
            top.names.insert((place.path.clone(), item.clone()), name);
        }
        top
    }

    /// The name of an item that was assigned one.
    pub fn name(&self, place: &Place, item: Item) -> &str {
        &self.names[&(place.path.clone(), item)]
    }

    /// The names of the cases of an enum at the top of a file. In protobuf they stand beside the enum, not in it, so
    /// they share the package with everything else.
    pub fn enum_cases(&mut self, place: &Place, name: &str, cases: &[String]) -> Vec<String> {
        let key = (place.full_name(name), cases.to_vec());
        let scope = self.scopes.entry(place.package.clone()).or_default();
        self.cases.entry(key).or_insert_with(|| enum_cases(scope, name, cases)).clone()
    }
}

/// `COLOR_DARK_RED` for the case `dark-red` of the enum `Color` in `scope`.
pub(super) fn enum_cases(scope: &mut Scope, name: &str, cases: &[String]) -> Vec<String> {
    let prefix = screaming_case(name);
    let mut members = Scope::default();
    let mut case = |case: &String| {
        scope.claim(&members.claim_member(&format!("{prefix}_{}", snake_case(case).to_ascii_uppercase())))
    };
    cases.iter().map(&mut case).collect()
}

/// `DarkColor` as `DARK_COLOR`.
fn screaming_case(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_many_want_is_numbered_without_trying_every_number_again() {
        let mut scope = Scope::default();
        assert_eq!(scope.claim_member("a_b_3"), "a_b_3");
        // With dashes at other places, these are other names in WIT and the same in JSON.
        let names = ["a_b", "ab", "a_b", "ab", "aB"].map(|name| scope.claim_member(name));
        assert_eq!(names, ["a_b", "ab_2", "a_b_4", "ab_5", "aB_6"]);
        // As many as a component of a few megabytes may have: by trying every number, this takes minutes.
        let last = (0..100_000).map(|_| scope.claim_member("ab")).last();
        assert_eq!(last.as_deref(), Some("ab_100006"));
    }
}
