//! Questions on a terminal.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::cli::ui::Ui;
use crate::code::Code;
use crate::error::{Error, Result};
use crate::execute::Cancel;

/// How soon it is seen that somebody wants to stop.
const SOON: Duration = Duration::from_millis(50);

/// Asks until the answer is yes or no. An empty line is a no, and so is the end of input.
pub(super) fn is_yes(
    question: &str,
    line: &mut dyn FnMut() -> Result<Option<String>>,
    ui: &mut Ui<'_>,
) -> Result<bool> {
    loop {
        ui.tell(question);
        let Some(answer) = line()? else {
            ui.tell("there is no answer: taken for no");
            return Ok(false);
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ => ui.tell("the answer is y or n"),
        }
    }
}

/// A line of standard input; none at its end.
///
/// # Errors
/// `execute::interrupted`.
pub(super) fn line(cancel: &Cancel) -> Result<Option<String>> {
    let read = || {
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok_and(|bytes| bytes > 0).then_some(answer)
    };
    waited(read, cancel)
}

/// A read goes on after a signal. So it is left to a thread of its own, which ends with the process.
fn waited(read: impl FnOnce() -> Option<String> + Send + 'static, cancel: &Cancel) -> Result<Option<String>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(read()));
    loop {
        let answer = receiver.recv_timeout(SOON);
        if cancel.is_fired() {
            return Err(Error::new(Code::Interrupted, "interrupted").state("nothing was changed"));
        }
        match answer {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answers: &[&str], expect: bool, told: &str) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut answers = answers.iter();
        let mut line = || Ok(answers.next().map(|answer| (*answer).to_owned()));
        let answer = is_yes("well?", &mut line, &mut Ui::new(&mut out, &mut err));
        assert_eq!(answer.expect("nobody stops it"), expect);
        assert_eq!(answers.next(), None);
        assert_eq!(String::from_utf8(err).expect("text"), told);
    }

    #[test]
    fn what_is_neither_yes_nor_no_is_asked_again() {
        check(&["y\n"], true, "well?\n");
        check(&["Yes\n"], true, "well?\n");
        check(&["\n"], false, "well?\n");
        check(&["maybe\n", "n\n"], false, "well?\nthe answer is y or n\nwell?\n");
        check(&[], false, "well?\nthere is no answer: taken for no\n");
    }

    #[test]
    fn who_stops_it_need_not_answer() {
        let cancel = Cancel::new();
        cancel.fire();
        let (sender, receiver) = mpsc::channel::<String>();
        let answer = waited(move || receiver.recv().ok(), &cancel);
        assert_eq!(answer.expect_err("it was stopped").code(), Code::Interrupted);
        drop(sender);
        let answer = waited(|| Some("y".to_owned()), &Cancel::new());
        assert_eq!(answer.expect("nobody stops it").as_deref(), Some("y"));
    }
}
