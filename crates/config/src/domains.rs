//! Lists of domains: `mydestination`, `relay_domains`. The first element that matches decides; `!` excludes; a table matches the domains that it
//! has as keys.

use crate::maps::Table;
use std::sync::Arc;

/// A list of domains, compared without regard to case.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    elements: Vec<(bool, Element)>,
    subdomains: bool,
}

#[derive(Clone, Debug)]
enum Element {
    Name(String),
    Table(Arc<Table>),
}

impl Domains {
    /// Takes the elements of a list; `open` opens those that are tables (`type:name`). With `subdomains`, `example.test` matches
    /// `www.example.test` too (as Postfix does for `relay_domains`); without, `.example.test` does.
    pub fn new<S: AsRef<str>>(elements: &[S], subdomains: bool, mut open: impl FnMut(&str) -> Result<Arc<Table>, String>) -> Result<Domains, String> {
        let mut list = Vec::with_capacity(elements.len());
        for element in elements {
            let element = element.as_ref();
            let (wanted, name) = match element.strip_prefix('!') {
                Some(name) => (false, name),
                None => (true, element),
            };
            list.push((wanted, match name.contains(':') && !name.starts_with('[') {
                true => Element::Table(open(name)?),
                false => Element::Name(name.trim_end_matches('.').to_ascii_lowercase()),
            }));
        }
        Ok(Domains { elements: list, subdomains })
    }

    /// True if `domain` is in the list.
    pub fn contains(&self, domain: &str) -> bool {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let hit = |(_, element): &&(bool, Element)| match element {
            Element::Name(name) => matches(name, &domain, self.subdomains),
            Element::Table(table) => self.is_key(table, &domain),
        };
        self.elements.iter().find(hit).is_some_and(|(wanted, _)| *wanted)
    }

    /// The names that are wanted, lower case, in their order; those of tables only where a table can list its keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.elements.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, element)| {
            let (name, rows) = match element {
                Element::Name(name) => (Some(name.as_str()), &[][..]),
                Element::Table(table) => (None, table.rows().unwrap_or_default()),
            };
            name.into_iter().chain(rows.iter().map(|row| row.key.as_str()))
        })
    }

    /// The domain itself, then those above it as match_list(3) of Postfix asks for them.
    fn is_key(&self, table: &Table, domain: &str) -> bool {
        if table.get(domain).is_some() {
            return true;
        }
        let above = domain.match_indices('.').map(|(at, _)| if self.subdomains { &domain[at + 1..] } else { &domain[at..] });
        !table.is_pattern() && above.into_iter().any(|parent| table.get(parent).is_some())
    }
}

fn matches(name: &str, domain: &str, subdomains: bool) -> bool {
    if name == domain {
        return true;
    }
    match name.strip_prefix('.') {
        Some(_) => domain.ends_with(name),
        None => subdomains && domain.strip_suffix(name).is_some_and(|head| head.ends_with('.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(spec: &str) -> Result<Arc<Table>, String> {
        Err(format!("no {spec}"))
    }

    #[test]
    fn the_first_match_decides() {
        let exact = Domains::new(&["!old.Example.test", "Example.test", ".example.test", "localhost"], false, none).unwrap();
        let below = Domains::new(&["example.test"], true, none).unwrap();
        for (domain, in_exact, in_below) in [
            ("example.TEST", true, true),
            ("example.test.", true, true),
            ("www.example.test", true, true),
            ("old.example.test", false, true),
            ("badexample.test", false, false),
            ("localhost", true, false),
            ("", false, false),
        ] {
            assert_eq!(exact.contains(domain), in_exact, "{domain}");
            assert_eq!(below.contains(domain), in_below, "{domain}");
        }
        assert!(!Domains::new(&["example.test"], false, none).unwrap().contains("www.example.test"));
        assert!(Domains::new(&["hash:/etc/domains"], false, none).is_err());
    }

    #[test]
    fn tables_have_domains_as_keys() {
        let open = |spec: &str| Table::open(spec, &|_| Ok("/^(.*\\.)?re\\.test$/ x\n".to_owned())).map(|(table, _)| Arc::new(table)).map_err(|error| error.to_string());
        let elements = ["!inline:{old.test=x}", "inline:{a.test=x, .b.test=x}", "regexp:/r"];
        let (exact, below) = (Domains::new(&elements, false, open).unwrap(), Domains::new(&elements, true, open).unwrap());
        for (domain, in_exact, in_below) in [
            ("A.test", true, true),
            ("w.a.test", false, true),
            ("w.b.test", true, false),
            ("old.test", false, false),
            ("w.re.test", true, true),
            ("test", false, false),
        ] {
            assert_eq!((exact.contains(domain), below.contains(domain)), (in_exact, in_below), "{domain}");
        }
        let mut names: Vec<_> = exact.names().collect();
        names.sort_unstable();
        assert_eq!(names, [".b.test", "a.test"]);
    }
}
