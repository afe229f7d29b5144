//! References to carriers are carriers, too.

use crate::propagation::{
    ExtractCarrier, HeaderScan, HeaderSet, InjectCarrier, Key, ReadFrom, TextMapReader,
    TextMapWriter, WriteTo,
};

impl<C: InjectCarrier + ?Sized> InjectCarrier for &mut C {
    fn write(&mut self) -> WriteTo<'_> {
        (**self).write()
    }
}

impl<C: ExtractCarrier + ?Sized> ExtractCarrier for &C {
    fn read(&self) -> ReadFrom<'_> {
        (**self).read()
    }
}

impl<C: ExtractCarrier + ?Sized> ExtractCarrier for &mut C {
    fn read(&self) -> ReadFrom<'_> {
        (**self).read()
    }
}

impl<C: TextMapWriter + ?Sized> TextMapWriter for &mut C {
    fn set(&mut self, key: &str, value: &str) -> bool {
        (**self).set(key, value)
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        (**self).remove_where(is_stale);
    }

    fn remove_owned(&mut self, owned: &HeaderSet, except: &[&Key]) {
        (**self).remove_owned(owned, except);
    }

    fn replace(&mut self, owned: &HeaderSet, headers: &[(&Key, &[u8])]) -> bool {
        (**self).replace(owned, headers)
    }

    fn may_hold(&self, set: &HeaderSet) -> bool {
        (**self).may_hold(set)
    }

    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        (**self).set_key(key, value)
    }
}

impl<C: TextMapReader + ?Sized> TextMapReader for &C {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        (**self).scan(scan);
    }
}

impl<C: TextMapReader + ?Sized> TextMapReader for &mut C {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        (**self).scan(scan);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A carrier that lists the calls of its methods.
    #[derive(Default)]
    struct Calls(RefCell<Vec<&'static str>>);

    impl TextMapWriter for Calls {
        fn set(&mut self, _: &str, _: &str) -> bool {
            self.0.borrow_mut().push("set");
            false
        }

        fn remove_where(&mut self, _: &dyn Fn(&str) -> bool) {
            self.0.borrow_mut().push("remove_where");
        }

        fn remove_owned(&mut self, _: &HeaderSet, _: &[&Key]) {
            self.0.borrow_mut().push("remove_owned");
        }

        fn replace(&mut self, _: &HeaderSet, _: &[(&Key, &[u8])]) -> bool {
            self.0.borrow_mut().push("replace");
            false
        }

        fn may_hold(&self, _: &HeaderSet) -> bool {
            self.0.borrow_mut().push("may_hold");
            false
        }

        fn set_key(&mut self, _: &Key, _: &[u8]) -> bool {
            self.0.borrow_mut().push("set_key");
            false
        }
    }

    /// Calls each method once, and returns whether any answers true.
    fn call_each(mut carrier: impl TextMapWriter) -> bool {
        let key = Key::new("x-tenant").expect("a token");
        let set = HeaderSet::new([key.clone()], []);
        carrier.remove_where(&|_| true);
        carrier.remove_owned(&set, &[]);
        carrier.set("x-tenant", "acme")
            | carrier.replace(&set, &[])
            | carrier.may_hold(&set)
            | carrier.set_key(&key, b"acme")
    }

    #[test]
    fn a_borrowed_carrier_gets_each_call_as_it_is() {
        let mut carrier = Calls::default();
        assert!(!call_each(&mut carrier));
        let expected = [
            "remove_where",
            "remove_owned",
            "set",
            "replace",
            "may_hold",
            "set_key",
        ];
        assert_eq!(carrier.0.into_inner(), expected);
    }
}
