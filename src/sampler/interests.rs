use std::borrow::Cow;

/// The questions that a sampler wants while a trace is undecided.
///
/// Each question takes time, so a sampler that answers [`Delay`](super::SamplingDecision::Delay) should name those that
/// it needs. The default of [`Sampler::interests`](super::Sampler::interests) is [`everything`](Self::everything).
///
/// ```
/// use tracehound::sampler::Interests;
///
/// let interests = Interests::nothing().tag("error").finished_local_roots();
/// assert!(interests.asks_about_tag("error") && !interests.asks_about_tag("http.url"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the sampler's method `interests` returns it"]
pub struct Interests {
    children: bool,
    names: bool,
    tags: Tags,
    finishes: Finishes,
    in_panics: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Keys {
        keys: Vec<Cow<'static, str>>,
        /// A bit for each length of a key, modulo 64: most other keys are told by it.
        lengths: u64,
    },
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finishes {
    None,
    LocalRoots,
    All,
}

impl Interests {
    /// Returns the interests of a sampler that wants every question.
    ///
    /// ```
    /// use tracehound::sampler::Interests;
    ///
    /// let everything = Interests::everything();
    /// assert!(everything.asks_about_children() && everything.asks_about_names());
    /// assert!(everything.asks_about_tag("tenant") && everything.asks_about_finish(false));
    ///
    /// // What a wrapper of two samplers returns.
    /// let mine = Interests::nothing().names().tags();
    /// let theirs = Interests::nothing().children().finishes();
    /// let both = mine.and(theirs);
    /// assert!(both.asks_about_children() && both.asks_about_names());
    /// assert!(both.asks_about_tag("tenant") && both.asks_about_finish(true));
    /// ```
    pub const fn everything() -> Self {
        Self {
            children: true,
            names: true,
            tags: Tags::All,
            finishes: Finishes::All,
            in_panics: false,
        }
    }

    /// Returns the interests of a sampler that decides when a trace begins.
    pub const fn nothing() -> Self {
        Self {
            children: false,
            names: false,
            tags: Tags::Keys {
                keys: Vec::new(),
                lengths: 0,
            },
            finishes: Finishes::None,
            in_panics: false,
        }
    }

    /// Adds the start of spans in a trace that has begun.
    pub const fn children(mut self) -> Self {
        self.children = true;
        self
    }

    /// Adds new names. Also without it, a sampler that
    /// [depends on the name](super::Sampler::depends_on_operation_name) is asked about a new name of a local root.
    pub const fn names(mut self) -> Self {
        self.names = true;
        self
    }

    /// Adds the tags with one key.
    pub fn tag(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        let key = key.into();
        if !self.asks_about_tag(&key)
            && let Tags::Keys { keys, lengths } = &mut self.tags
        {
            *lengths |= bit_of(key.len());
            keys.push(key);
        }
        self
    }

    /// Adds all tags.
    pub fn tags(mut self) -> Self {
        self.tags = Tags::All;
        self
    }

    /// Adds the end of local roots.
    pub fn finished_local_roots(mut self) -> Self {
        self.finishes = self.finishes.max(Finishes::LocalRoots);
        self
    }

    /// Adds the end of all spans.
    pub const fn finishes(mut self) -> Self {
        self.finishes = Finishes::All;
        self
    }

    /// Has the sampler asked while the thread unwinds, too. Only for a sampler that calls no user code then: a second
    /// panic would end the process.
    pub(crate) const fn in_panics(mut self) -> Self {
        self.in_panics = true;
        self
    }

    /// Adds what another sampler wants to be asked about.
    pub fn and(self, other: Self) -> Self {
        let mut both = Self {
            children: self.children || other.children,
            names: self.names || other.names,
            finishes: self.finishes.max(other.finishes),
            ..self
        };
        match other.tags {
            Tags::All => both.tags(),
            Tags::Keys { keys, .. } => {
                for key in keys {
                    both = both.tag(key);
                }
                both
            }
        }
    }

    /// Returns whether the sampler is asked about the start of a span in an undecided trace.
    pub const fn asks_about_children(&self) -> bool {
        self.children
    }

    /// Returns whether the sampler is asked about new names.
    pub const fn asks_about_names(&self) -> bool {
        self.names
    }

    /// Returns whether the sampler is asked about a tag.
    #[inline]
    pub fn asks_about_tag(&self, key: &str) -> bool {
        match &self.tags {
            Tags::Keys { keys, lengths } => {
                lengths & bit_of(key.len()) != 0 && keys.iter().any(|known| *known == key)
            }
            Tags::All => true,
        }
    }

    /// Returns whether the sampler is asked about the end of a span.
    #[inline]
    pub fn asks_about_finish(&self, is_local_root: bool) -> bool {
        match self.finishes {
            Finishes::None => false,
            Finishes::LocalRoots => is_local_root,
            Finishes::All => true,
        }
    }

    /// Returns whether the sampler may be asked while the thread unwinds.
    pub(crate) const fn asks_in_panics(&self) -> bool {
        self.in_panics
    }
}

const fn bit_of(length: usize) -> u64 {
    1 << (length % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_interests_add_up() {
        let both = Interests::nothing()
            .tag("error")
            .finished_local_roots()
            .and(Interests::nothing().tag("tenant").tag("error").names());
        assert!(both.asks_about_tag("error") && both.asks_about_tag("tenant"));
        assert!(!both.asks_about_tag("other") && !both.asks_about_children());
        assert!(both.asks_about_names());
        assert!(both.asks_about_finish(true) && !both.asks_about_finish(false));
        let all = both.and(Interests::everything());
        assert_eq!(all, Interests::everything());
    }
}
