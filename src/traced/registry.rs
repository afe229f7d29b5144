//! The places that have been called, and the rules for those that will be.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sync::PerProcess;
use crate::traced::place::{NEW, OFF, ON, Place, is_around};

/// Switches functions that are [traced](macro@crate::traced) on or off while the program runs. All are on at first.
///
/// `path` is a module with everything below it (`shop::db`), a type in a module whose `impl` is traced
/// (`shop::cart::Cart`), one function (`shop::db::load`), or empty for all. The call acts on every place with that path
/// from its next call on, also on those that are called for the first time later. The last call wins:
/// `set_enabled("shop", true)` undoes an earlier `set_enabled("shop::db", false)`.
///
/// A call that is under way keeps its span.
///
/// Returns whether the rule is kept for later places. It is not if the path is longer than 512 bytes or 1,024 other
/// rules are kept; known places follow it all the same.
///
/// ```
/// use tracehound::traced::set_enabled;
///
/// set_enabled("shop", false);
/// set_enabled("shop::checkout", true);
/// ```
pub fn set_enabled(path: &str, is_enabled: bool) -> bool {
    let mut registry = registry();
    for place in &registry.places {
        if place.is_in(path) {
            place.switch(is_enabled);
        }
    }
    registry.keep_rule(path, is_enabled)
}

/// Returns the [traced](macro@crate::traced) functions that have been called, in the order of their first calls.
///
/// ```
/// use tracehound::traced::places;
///
/// for place in places() {
///     println!("{place} at {}:{} is on: {}", place.file(), place.line(), place.is_enabled());
/// }
/// ```
pub fn places() -> Vec<&'static Place> {
    registry().places.clone()
}

impl Place {
    /// Returns whether calls make spans.
    #[inline]
    pub fn is_enabled(&'static self) -> bool {
        match self.state() {
            OFF => false,
            ON => true,
            _ => register(self),
        }
    }

    /// Switches this place alone on or off, from the next call on.
    ///
    /// [`set_enabled`] switches by path, which two places may share.
    pub fn set_enabled(&'static self, is_enabled: bool) {
        if self.state() == NEW {
            // Otherwise the first call would apply older rules.
            register(self);
        }
        self.switch(is_enabled);
    }
}

/// Registers a place at its first call and returns whether it is on.
#[cold]
#[inline(never)]
fn register(place: &'static Place) -> bool {
    let mut registry = registry();
    // Another thread may have come first.
    if place.state() == NEW {
        registry.places.push(place);
        place.switch(registry.rule_for(place));
    }
    place.state() == ON
}

#[derive(Clone)]
struct Registry {
    places: Vec<&'static Place>,
    /// Later rules win.
    rules: Vec<Rule>,
}

#[derive(Clone)]
struct Rule {
    path: Box<str>,
    is_enabled: bool,
}

impl Registry {
    const fn new() -> Self {
        Self {
            places: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn rule_for(&self, place: &Place) -> bool {
        let mut rules = self.rules.iter().rev();
        rules
            .find(|rule| place.is_in(&rule.path))
            .is_none_or(|rule| rule.is_enabled)
    }

    /// Keeps a rule in place of those that it overrides.
    fn keep_rule(&mut self, path: &str, is_enabled: bool) -> bool {
        self.rules.retain(|rule| !is_around(path, &rule.path));
        if path.len() > MAX_PATH_BYTES || self.rules.len() >= MAX_RULES {
            return false;
        }
        self.rules.push(Rule {
            path: path.into(),
            is_enabled,
        });
        true
    }
}

const MAX_RULES: usize = 1_024;
const MAX_PATH_BYTES: usize = 512;

fn registry() -> MutexGuard<'static, Registry> {
    static REGISTRY: PerProcess<Mutex<Registry>> =
        PerProcess::of_first(Mutex::new(Registry::new()));
    // A forked child begins with what its parent knew, unless the fork came while a thread changed it.
    let inherit = |parents: &Mutex<Registry>| {
        let known = parents.try_lock().map(|registry| registry.clone());
        Mutex::new(known.unwrap_or_else(|_| Registry::new()))
    };
    let registry = REGISTRY.get(inherit).lock();
    registry.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(module: &'static str, function: &'static str) -> Place {
        Place::new("p", module, function, "f.rs", 1)
    }

    #[test]
    fn a_path_holds_its_module_its_type_and_its_function() {
        let rows = [
            ("", true),
            ("shop", true),
            ("shop::cart", true),
            ("shop::cart::Cart", true),
            ("shop::cart::Cart::add", true),
            ("shop::cart::Cart::add::x", false),
            ("shop::cart::Cart::ad", false),
            ("shop::cart::Car", false),
            ("shop::car", false),
            ("shop::cart::", false),
            ("sho", false),
            ("cart", false),
            ("shop::cartCart", false),
            ("::shop", false),
        ];
        for (path, expected) in rows {
            let place = place("shop::cart", "Cart::add");
            assert_eq!(place.is_in(path), expected, "{path:?}");
        }
    }

    #[test]
    fn the_last_rule_wins() {
        let mut registry = Registry::new();
        for (path, is_enabled) in [
            ("shop", false),
            ("shop::db", true),
            ("shop::db::load", false),
        ] {
            assert!(registry.keep_rule(path, is_enabled));
        }
        let rows = [
            ("shop", "open", false),
            ("shop::db", "store", true),
            ("shop::db", "load", false),
            ("bank", "open", true),
        ];
        for (module, function, expected) in rows {
            let place = place(module, function);
            assert_eq!(registry.rule_for(&place), expected, "{place}");
        }
        assert!(registry.keep_rule("shop", true));
        assert!(registry.rule_for(&place("shop::db", "load")));
        assert_eq!(registry.rules.len(), 1, "a rule replaces those below it");
    }

    #[test]
    fn rules_are_bounded() {
        let mut registry = Registry::new();
        assert!(!registry.keep_rule(&"x".repeat(MAX_PATH_BYTES + 1), false));
        for i in 0..MAX_RULES {
            assert!(registry.keep_rule(&format!("m{i}"), false), "{i}");
        }
        assert!(!registry.keep_rule("one_more", false));
        assert!(registry.keep_rule("m7", true), "in place of the older one");
        assert!(registry.keep_rule("", true), "in place of all");
        assert_eq!(registry.rules.len(), 1);
    }
}
