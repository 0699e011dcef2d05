//! Which semicolons end a statement: those inside the body of a trigger, rule or routine do not.

use super::Flavor;

/// What the words of the statement have said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing: the next word is the first.
    Start,
    /// The next terminator ends the statement, whatever comes.
    Plain,
    /// SQLite: EXPLAIN, or EXPLAIN QUERY PLAN.
    Explain,
    /// CREATE; which kind of object is not known yet.
    Create,
    /// SQLite: inside CREATE TRIGGER.
    Trigger,
    /// SQLite: after a semicolon inside CREATE TRIGGER.
    Semicolon,
    /// SQLite: after a semicolon and END inside CREATE TRIGGER.
    End,
    /// PostgreSQL: CREATE RULE, whose actions stand in parentheses.
    Rule,
    /// PostgreSQL: CREATE FUNCTION or PROCEDURE, whose body may stand between BEGIN ATOMIC and END.
    Routine,
    /// MySQL: a stored program, whose body may stand between BEGIN and END.
    Program,
    /// PostgreSQL: COPY, before FROM.
    Copy,
    /// PostgreSQL: COPY … FROM.
    CopyFrom,
    /// PostgreSQL: COPY … FROM STDIN.
    CopyStdin,
}

/// The word before, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Begin,
    /// END, and whether it closed a block.
    End(bool),
    /// A dot or AS: what follows is a name.
    Name,
}

/// Follows the words of one statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    flavor: Flavor,
    state: State,
    before: Before,
    /// Open parentheses.
    parens: usize,
    /// Open BEGIN and CASE.
    blocks: usize,
    /// Whether a semicolon was passed that did not end the statement.
    passed: bool,
}

impl Machine {
    /// At the beginning of a statement. Where DELIMITER chose another terminator, only that one counts.
    pub(super) fn new(flavor: Flavor, semicolon: bool) -> Self {
        Self {
            flavor,
            state: if semicolon { State::Start } else { State::Plain },
            before: Before::Nothing,
            parens: 0,
            blocks: 0,
            passed: false,
        }
    }

    /// Whether words and marks do not matter before the next terminator.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.state, State::Plain | State::Trigger)
    }

    /// Whether lines of data follow the statement.
    pub(super) fn is_copy(&self) -> bool {
        self.state == State::CopyStdin
    }

    /// Whether the statement ends in the middle of a body when the text ends here.
    pub(super) fn is_open(&self) -> bool {
        self.blocks > 0 || self.passed && matches!(self.state, State::Trigger | State::Semicolon)
    }

    /// Takes a terminator; `true` when it ends the statement.
    pub(super) fn terminator(&mut self) -> bool {
        let ends = match self.state {
            State::Trigger | State::Semicolon => {
                self.state = State::Semicolon;
                false
            }
            State::Rule => self.parens == 0,
            State::Routine | State::Program => self.blocks == 0,
            _ => true,
        };
        self.passed |= !ends;
        self.before = Before::Nothing;
        ends
    }

    /// Takes a token that is neither word nor terminator; for a string or quoted name its opening quote.
    pub(super) fn mark(&mut self, byte: u8) {
        match byte {
            b'(' => self.parens += 1,
            b')' => self.parens = self.parens.saturating_sub(1),
            _ => {}
        }
        self.before = if byte == b'.' { Before::Name } else { Before::Nothing };
        self.state = match self.state {
            State::Start | State::CopyFrom => State::Plain,
            State::Create if self.flavor != Flavor::Mysql => State::Plain,
            State::Semicolon | State::End => State::Trigger,
            other => other,
        };
    }

    /// Takes a word.
    pub(super) fn word(&mut self, word: &[u8]) {
        let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
        let any = |known: &[&str]| known.iter().any(|known| is(known));
        self.state = match (self.state, self.flavor) {
            (State::Start | State::Explain, _) if is("CREATE") => State::Create,
            (State::Start, Flavor::Sqlite) if is("EXPLAIN") => State::Explain,
            (State::Start, Flavor::Postgresql) if is("COPY") => State::Copy,
            (State::Explain, _) if !is("EXPLAIN") => State::Explain,
            (State::Create, Flavor::Sqlite) if any(&["TEMP", "TEMPORARY"]) => State::Create,
            (State::Create, Flavor::Sqlite) if is("TRIGGER") => State::Trigger,
            (State::Create, Flavor::Postgresql) if any(&["OR", "REPLACE"]) => State::Create,
            (State::Create, Flavor::Postgresql) if any(&["FUNCTION", "PROCEDURE"]) => State::Routine,
            (State::Create, Flavor::Postgresql) if is("RULE") => State::Rule,
            (State::Create, Flavor::Mysql) => mysql_object(word),
            (State::Semicolon, _) if is("END") => State::End,
            (State::Semicolon | State::End, _) => State::Trigger,
            (State::Copy, _) if self.parens == 0 && is("FROM") => State::CopyFrom,
            // The grammar takes either word in either direction.
            (State::CopyFrom, _) if any(&["STDIN", "STDOUT"]) => State::CopyStdin,
            (State::Start | State::Explain | State::Create | State::CopyFrom, _) => State::Plain,
            (other, _) => other,
        };
        match self.state {
            State::Routine | State::Program if self.parens == 0 => self.block(word),
            _ => {}
        }
    }

    /// Counts the blocks of a body. Inside parentheses CASE and END are balanced, and any other BEGIN is a name.
    fn block(&mut self, word: &[u8]) {
        let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
        let any = |known: &[&str]| known.iter().any(|known| is(known));
        let mysql = self.flavor == Flavor::Mysql;
        let before = std::mem::replace(&mut self.before, Before::Nothing);
        if before == Before::Name {
            return;
        }
        if is("BEGIN") {
            self.blocks += usize::from(mysql);
            self.before = Before::Begin;
        } else if is("ATOMIC") && !mysql && before == Before::Begin {
            self.blocks += 1;
        } else if is("END") {
            self.before = Before::End(self.blocks > 0);
            self.blocks = self.blocks.saturating_sub(1);
        } else if is("AS") {
            self.before = Before::Name;
        } else if mysql && matches!(before, Before::End(_)) {
            // END CASE closes what CASE opened; END IF and its like close what was not counted.
            let uncounted = any(&["IF", "LOOP", "WHILE", "REPEAT", "FOR"]);
            self.blocks += usize::from(uncounted && before == Before::End(true));
        } else if is("CASE") && (mysql || self.blocks > 0) {
            self.blocks += 1;
        }
    }
}

/// What a word after CREATE says about the object in MySQL; words such as DEFINER and the name of a user say nothing.
fn mysql_object(word: &[u8]) -> State {
    let any = |known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    if any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"]) {
        State::Program
    } else if any(&[
        "TABLE",
        "INDEX",
        "VIEW",
        "DATABASE",
        "SCHEMA",
        "USER",
        "ROLE",
        "SERVER",
        "SEQUENCE",
        "TABLESPACE",
    ]) {
        State::Plain
    } else {
        State::Create
    }
}
