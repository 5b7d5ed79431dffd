//! Which encoding a body claims to have.

use super::error::BodyError;

/// The two encodings of a body that is not an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`, with bracket nesting.
    Form,
    /// `application/json`.
    Json,
}

impl Encoding {
    /// Reads a `Content-Type`; an absent one means a form, which is what the oldest clients send.
    ///
    /// # Errors
    /// [`BodyError::ContentType`] for every other type, and for a charset that is not UTF-8.
    pub fn of_content_type(value: Option<&str>) -> Result<Self, BodyError> {
        let Some(value) = value else {
            return Ok(Self::Form);
        };
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let foreign_charset = parameters.split(';').any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, charset)| {
                name.trim().eq_ignore_ascii_case("charset")
                    && !charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        });
        let essence = essence.trim();
        if foreign_charset {
            Err(BodyError::ContentType)
        } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Ok(Self::Form)
        } else if essence.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else {
            Err(BodyError::ContentType)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_the_widget_and_of_json_clients_are_known() {
        let of = |value| Encoding::of_content_type(Some(value));
        assert_eq!(
            of("application/x-www-form-urlencoded; charset=UTF-8"),
            Ok(Encoding::Form)
        );
        assert_eq!(of("Application/JSON"), Ok(Encoding::Json));
        assert_eq!(of("application/json; charset=\"utf-8\""), Ok(Encoding::Json));
        assert_eq!(Encoding::of_content_type(None), Ok(Encoding::Form));
    }

    #[test]
    fn another_type_or_charset_is_refused() {
        for value in [
            "text/plain",
            "application/json; charset=utf-16",
            "",
            "multipart/form-data",
        ] {
            assert_eq!(
                Encoding::of_content_type(Some(value)),
                Err(BodyError::ContentType),
                "{value}"
            );
        }
    }
}
