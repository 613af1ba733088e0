//! Lists of domains: `mydestination`, `relay_domains`. The first element that matches decides; `!` excludes.

/// A list of domains, compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains {
    elements: Vec<(bool, String)>,
    subdomains: bool,
}

impl Domains {
    /// Takes the elements of a list. With `subdomains`, `example.test` matches `www.example.test` too (as Postfix does for
    /// `relay_domains`); without, `.example.test` does. A table (`type:name`) is refused.
    pub fn new<S: AsRef<str>>(elements: &[S], subdomains: bool) -> Result<Domains, String> {
        let mut list = Vec::with_capacity(elements.len());
        for element in elements {
            let element = element.as_ref();
            let (wanted, name) = match element.strip_prefix('!') {
                Some(name) => (false, name),
                None => (true, element),
            };
            if name.contains(':') && !name.starts_with('[') {
                return Err(format!("\"{element}\": tables are not supported here; list the domains"));
            }
            list.push((wanted, name.trim_end_matches('.').to_ascii_lowercase()));
        }
        Ok(Domains { elements: list, subdomains })
    }

    /// True if `domain` is in the list.
    pub fn contains(&self, domain: &str) -> bool {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let hit = |(_, name): &&(bool, String)| matches(name, &domain, self.subdomains);
        self.elements.iter().find(hit).is_some_and(|(wanted, _)| *wanted)
    }

    /// The names that are wanted, lower case, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.elements.iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name.as_str())
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

    #[test]
    fn the_first_match_decides() {
        let exact = Domains::new(&["!old.Example.test", "Example.test", ".example.test", "localhost"], false).unwrap();
        let below = Domains::new(&["example.test"], true).unwrap();
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
        assert!(!Domains::new(&["example.test"], false).unwrap().contains("www.example.test"));
        assert!(Domains::new(&["hash:/etc/domains"], false).is_err());
    }
}
