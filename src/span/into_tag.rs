use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{TagRef, TagValue};

/// A value that [`Span::set_tag`](crate::Span::set_tag) takes: one that converts into a [`TagRef`], or an owned or
/// formatted value.
///
/// | value | sent as |
/// |---|---|
/// | `bool`, integers up to 64 bits, floats | a value of that type, as [`TagRef`] says |
/// | `u128`, `i128` | a number if it fits into an `i64`, else decimal text |
/// | `&str`, `String`, `Cow<str>`, `Box<str>`, `Arc<str>`, `Rc<str>`, `char`, `format_args!(..)` | text |
/// | `Duration` | text in the form of `Debug`: `1.5s` |
/// | addresses of [`std::net`] | text |
/// | `&[u8]`, `[u8; N]`, `Vec<u8>`, `Cow<[u8]>` | bytes |
/// | `Option` of these | its value; `None` sets no tag |
///
/// Values are formatted only if the span records.
///
/// ```
/// use std::net::Ipv4Addr;
/// use std::time::Duration;
/// use tracehound::Span;
///
/// let items = 3;
/// Span::noop()
///     .set_tag("summary", format!("{items} items"))
///     .set_tag("cart", format_args!("{items} items"))
///     .set_tag("waited", Duration::from_millis(1_500))
///     .set_tag("peer.ipv4", Ipv4Addr::LOCALHOST)
///     .set_tag("digest", &[0xca, 0xfe]);
/// ```
pub trait IntoTag {
    /// Calls `take` with a borrow of the value.
    ///
    /// A type of your own passes on what it wraps:
    ///
    /// ```
    /// use tracehound::Span;
    /// use tracehound::model::TagRef;
    /// use tracehound::span::IntoTag;
    ///
    /// struct OrderId(u64);
    ///
    /// impl IntoTag for OrderId {
    ///     fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
    ///         self.0.give_tag(take)
    ///     }
    /// }
    ///
    /// Span::noop().set_tag("order", OrderId(7));
    /// assert_eq!(OrderId(7).give_tag(|value| value.to_string()), "7");
    /// ```
    fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R;
}

impl<'v, T: Into<TagRef<'v>>> IntoTag for T {
    #[inline(always)]
    fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
        take(self.into())
    }
}

macro_rules! given {
    ($($ty:ty: $value:ident => $given:expr;)*) => {$(
        impl IntoTag for $ty {
            #[inline]
            fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
                let $value = self;
                take($given)
            }
        }

        impl IntoTag for Option<$ty> {
            #[inline]
            fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
                match self {
                    Some(value) => value.give_tag(take),
                    None => take(TagRef::Unset),
                }
            }
        }
    )*};
}

given! {
    String: text => TagRef::String(&text);
    Box<str>: text => TagRef::String(&text);
    Arc<str>: text => TagRef::String(&text);
    Rc<str>: text => TagRef::String(&text);
    Cow<'_, str>: text => TagRef::String(&text);
    Vec<u8>: bytes => TagRef::Binary(&bytes);
    Cow<'_, [u8]>: bytes => TagRef::Binary(&bytes);
    TagValue: value => value.as_ref();
    char: letter => TagRef::String(letter.encode_utf8(&mut [0; 4]));
    fmt::Arguments<'_>: text => TagRef::Display(&text);
    Duration: time => TagRef::Display(&format_args!("{time:?}"));
    IpAddr: address => TagRef::Display(&address);
    Ipv4Addr: address => TagRef::Display(&address);
    Ipv6Addr: address => TagRef::Display(&address);
    SocketAddr: address => TagRef::Display(&address);
    SocketAddrV4: address => TagRef::Display(&address);
    SocketAddrV6: address => TagRef::Display(&address);
    i128: number => match i64::try_from(number) {
        Ok(number) => TagRef::Long(number),
        Err(_) => TagRef::Display(&number),
    };
    u128: number => match i64::try_from(number) {
        Ok(number) => TagRef::Long(number),
        Err(_) => TagRef::Display(&number),
    };
}

macro_rules! given_by_reference {
    ($($ty:ty)*) => {$(
        impl IntoTag for &$ty {
            #[inline]
            fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
                (*self).give_tag(take)
            }
        }
    )*};
}

given_by_reference! {
    char Duration IpAddr Ipv4Addr Ipv6Addr SocketAddr SocketAddrV4 SocketAddrV6 i128 u128
}

impl<const N: usize> IntoTag for [u8; N] {
    #[inline]
    fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
        take(TagRef::Binary(&self))
    }
}

impl<const N: usize> IntoTag for &[u8; N] {
    #[inline]
    fn give_tag<R>(self, take: impl FnOnce(TagRef<'_>) -> R) -> R {
        take(TagRef::Binary(self))
    }
}
