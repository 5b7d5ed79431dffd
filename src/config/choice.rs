//! Settings that are one of a few words.

/// Declares an enum whose variants are written as the given words.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The word it is written as.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::config::Setting for $name {
            fn read(
                raw: &$crate::config::layers::Raw,
                _: &$crate::config::Origin,
            ) -> Result<Self, String> {
                match $crate::config::setting::text_of(raw) {
                    $(Some($word) => Ok(Self::$variant),)+
                    _ => Err(format!("one of {}", [$($word),+].join(", "))),
                }
            }

            fn show(&self) -> String {
                $crate::config::setting::quoted(self.word())
            }
        }
    };
}
pub(super) use choice;
