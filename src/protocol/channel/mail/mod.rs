//! Mail: what providers post about a mail becomes an [`Inbound`](super::Inbound), an [`Outbound`](super::Outbound) becomes a
//! mail that says whose it is and what it answers.
//!
//! **Owns** MIME within limits, threading, HTML as text, the new words of a reply, the signs of automatic mail, and the
//! dialects of the mail providers. **Leaves** to the session which conversation a mail belongs to, and to the file inspector what an
//! attachment really is.
//!
//! **Must never happen**: a header with a line break in it; work or memory out of proportion to a mail's bytes, however it is nested;
//! markup, or anything fetched from elsewhere, shown to an agent; an answer by a program to a program.

mod draft;
mod form_data;
mod head;
mod header;
mod html;
mod letter;
mod loops;
mod mailgun;
mod mime;
mod multipart;
mod postmark;
mod reply;
mod sendgrid;
mod sparkpost;
mod thread;

pub use draft::{Draft, compose};
pub use head::Head;
pub use header::{HeaderValue, Mailbox, NotAHeader};
pub use html::text_of_html;
pub use loops::{LOOP_HEADER, sign_of_automation};
pub use mailgun::Mailgun;
pub use mime::{Block, Mime, TooMuch, parse};
pub use postmark::Postmark;
pub use reply::new_words;
pub use sendgrid::SendGrid;
pub use sparkpost::SparkPost;
pub use thread::{SubjectToken, ancestors, answering, message_id, reply_subject};
