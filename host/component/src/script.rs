//! Calls as lines of text, with what is expected of them: `counter.add(1) -> 2`.
//!
//! What a line means depends on the interfaces of the node that it calls, so that it is read in two steps: [`Line::parse`]
//! knows only its form, and [`Line::resolve`] looks up the method and parses values by its types.

use std::fmt;

use crate::component::{Interface, Method, MethodTypes};
use crate::value::{self, Pattern, WaveError};

/// A line of a script, not yet understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What stands before the method, such as `counter` or `counter/1`; empty if nothing does.
    pub target: &'a str,
    /// The method, with its interface before it where that is written: `add` or `counter.add`.
    pub method: &'a str,
    /// The arguments: what stands between the parentheses.
    pub arguments: &'a str,
    /// What is expected of the call.
    pub outcome: Outcome<'a>,
}

/// What is expected of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// A result, whatever it is.
    Any,
    /// `-> PATTERN`: a result of that pattern.
    Result(&'a str),
    /// `fails CASE`: a call error of that case, such as `deadline-exceeded`.
    Fails(&'a str),
}

/// The method that a line calls.
#[derive(Debug)]
pub struct Resolved<'c> {
    /// The interface of the method.
    pub interface: &'c Interface,
    /// The method.
    pub method: &'c Method,
    /// Its types.
    pub types: &'c MethodTypes,
}

/// Why a line is no call of a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It has another form.
    #[error("{0}; a call is written as `node.method(1, \"a\") -> 2`")]
    Form(&'static str),
    /// The node has no such method.
    #[error("the node has no method `{method}`")]
    NoMethod {
        /// What was written.
        method: String,
        /// Every method that there is, one a line with its types.
        known: String,
    },
    /// Several interfaces of the node have the method.
    #[error("more than one interface of the node has a method `{method}`")]
    Ambiguous {
        /// What was written.
        method: String,
        /// Every method that there is, one a line with its types.
        known: String,
    },
    /// The method can't be called.
    #[error("`{method}` can't be called: {reason}")]
    Refused {
        /// What was written.
        method: String,
        /// Why.
        reason: String,
    },
    /// The arguments are none of the method.
    #[error("the arguments of `{method}{types}`: {error}")]
    Arguments {
        /// What was written.
        method: String,
        /// The types of the method.
        types: String,
        /// What is wrong with them.
        error: Box<WaveError>,
    },
    /// The expected result is none of the method.
    #[error("the result of `{method}{types}`: {error}")]
    Result {
        /// What was written.
        method: String,
        /// The types of the method.
        types: String,
        /// What is wrong with it.
        error: Box<WaveError>,
    },
    /// A result is expected of a method without one.
    #[error("`{method}` returns nothing, so that no result can be expected")]
    NoResult {
        /// What was written.
        method: String,
    },
}

impl ScriptError {
    /// Every method that there is, one a line with its types, where the line names none of them or several.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::NoMethod { known, .. } | Self::Ambiguous { known, .. } => Some(known),
            _ => None,
        }
    }
}

impl<'a> Line<'a> {
    /// Reads the form of a line.
    ///
    /// # Errors
    /// If it is not that of a call.
    pub fn parse(text: &'a str) -> Result<Self, ScriptError> {
        let text = text.trim();
        let open = text.find('(').ok_or(ScriptError::Form("it has no arguments"))?;
        let (name, rest) = (text[..open].trim(), &text[open + 1..]);
        let close = closing(rest).ok_or(ScriptError::Form("its parenthesis is not closed"))?;
        let (target, method) = name.split_once('.').unwrap_or(("", name));
        if method.is_empty() || name.starts_with('.') || name.contains(char::is_whitespace) {
            return Err(ScriptError::Form("it names no method"));
        }
        let after = rest[close + 1..].trim();
        let outcome = match (after.strip_prefix("->"), after.strip_prefix("fails ")) {
            (Some(result), _) if !result.trim().is_empty() => Outcome::Result(result.trim()),
            (_, Some(case)) if !case.trim().is_empty() => Outcome::Fails(case.trim()),
            _ if after.is_empty() => Outcome::Any,
            _ => return Err(ScriptError::Form("what follows the call is neither `-> VALUE` nor `fails CASE`")),
        };
        Ok(Self { target, method, arguments: rest[..close].trim(), outcome })
    }

    /// The same without a target: the whole name is that of the method.
    ///
    /// # Errors
    /// If it has not the form of a call.
    pub fn parse_method(text: &'a str) -> Result<Self, ScriptError> {
        let line = Self::parse(text)?;
        if line.target.is_empty() {
            return Ok(line);
        }
        let open = text.find('(').expect("it was parsed");
        Ok(Self { target: "", method: text[..open].trim(), ..line })
    }

    /// A line that names a method and nothing else.
    pub fn of_method(method: &'a str) -> Self {
        Self { target: "", method, arguments: "", outcome: Outcome::Any }
    }

    /// Looks up the method among those of a node's interfaces.
    ///
    /// # Errors
    /// If there is none, more than one, or one that can't be called.
    pub fn resolve<'c>(&self, couriers: &'c [Interface]) -> Result<Resolved<'c>, ScriptError> {
        let name = || self.method.to_owned();
        let (wanted, short) =
            self.method.rsplit_once('.').map_or((None, self.method), |(interface, method)| (Some(interface), method));
        let fits = |interface: &Interface| {
            wanted.is_none_or(|wanted| interface.name == wanted || last_segment(&interface.name) == wanted)
        };
        let found = couriers.iter().filter(|interface| fits(interface));
        let found: Vec<_> = found.filter_map(|interface| Some((interface, interface.method(short)?))).collect();
        match found[..] {
            [(interface, method)] => match (&method.types, &method.refused) {
                (Some(types), None) => Ok(Resolved { interface, method, types }),
                (_, reason) => {
                    let reason = reason.clone().unwrap_or_else(|| "its types can't be written out".to_owned());
                    Err(ScriptError::Refused { method: name(), reason })
                }
            },
            [] => Err(ScriptError::NoMethod { method: name(), known: listed(couriers) }),
            [..] => Err(ScriptError::Ambiguous { method: name(), known: listed(couriers) }),
        }
    }

    /// The method and its types, for an error.
    fn shown(&self, types: &MethodTypes) -> (String, String) {
        (self.method.to_owned(), types.to_string())
    }

    /// The request that the line makes.
    ///
    /// # Errors
    /// If its arguments are none of the method.
    pub fn request(&self, types: &MethodTypes) -> Result<Vec<u8>, ScriptError> {
        value::encode_wave(&types.params, self.arguments).map_err(|error| {
            let (method, types) = self.shown(types);
            ScriptError::Arguments { method, types, error: Box::new(error) }
        })
    }

    /// The patterns of the arguments that the line answers.
    ///
    /// # Errors
    /// If they are none of the method.
    pub fn argument_patterns(&self, types: &MethodTypes) -> Result<Vec<Pattern>, ScriptError> {
        Pattern::of_arguments(&types.params, self.arguments).map_err(|error| {
            let (method, types) = self.shown(types);
            ScriptError::Arguments { method, types, error: Box::new(error) }
        })
    }

    /// The pattern of the result that the line expects, if it expects one.
    ///
    /// # Errors
    /// If it is none of the method.
    pub fn result_pattern(&self, types: &MethodTypes) -> Result<Option<Pattern>, ScriptError> {
        let Outcome::Result(text) = self.outcome else { return Ok(None) };
        let Some(result) = &types.result else { return Err(ScriptError::NoResult { method: self.method.to_owned() }) };
        Pattern::of_value(result, text).map(Some).map_err(|error| {
            let (method, types) = self.shown(types);
            ScriptError::Result { method, types, error: Box::new(error) }
        })
    }

    /// The response that the line gives, for one that answers calls. Without a result that is written it is the empty one,
    /// which only a method without a result has.
    ///
    /// # Errors
    /// If it is none of the method.
    pub fn response(&self, types: &MethodTypes) -> Result<Vec<u8>, ScriptError> {
        let text = match (self.outcome, &types.result) {
            (Outcome::Result(_), None) => return Err(ScriptError::NoResult { method: self.method.to_owned() }),
            (Outcome::Result(text), _) => text,
            _ => "",
        };
        let result =
            types.result.iter().map(|ty| crate::component::Field { name: "result".to_owned(), ty: ty.clone() });
        value::encode_wave(&result.collect::<Vec<_>>(), text).map_err(|error| {
            let (method, types) = self.shown(types);
            ScriptError::Result { method, types, error: Box::new(error) }
        })
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.target.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}({})", self.target, self.method, self.arguments)
    }
}

/// Every method with its types, one a line.
pub fn listed(couriers: &[Interface]) -> String {
    let lines = couriers.iter().flat_map(|interface| {
        interface.methods.iter().map(move |method| {
            let types = method.types.as_ref().map_or("(…)".to_owned(), ToString::to_string);
            format!("{}.{}{types}\n", last_segment(&interface.name), method.name)
        })
    });
    lines.collect()
}

/// The last segment of an interface's name, without its version.
fn last_segment(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default()
}

/// Where the parenthesis is closed that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')') if depth == 0 => return Some(at),
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_target_a_method_arguments_and_an_outcome() {
        let line = Line::parse(" store/1.kv.put(\"a)\", {x: (1, 2)}) -> ok(_) ").expect("it is a call");
        assert_eq!((line.target, line.method), ("store/1", "kv.put"));
        assert_eq!((line.arguments, line.outcome), ("\"a)\", {x: (1, 2)}", Outcome::Result("ok(_)")));
        assert_eq!(Line::parse("a.b()").map(|line| line.outcome), Ok(Outcome::Any));
        assert_eq!(Line::parse("a.b('\\'') fails denied").map(|line| line.outcome), Ok(Outcome::Fails("denied")));
        let line = Line::parse_method("kv.get(_) -> 1").expect("it is a call");
        assert_eq!((line.target, line.method), ("", "kv.get"));
    }

    #[test]
    fn what_is_no_call_says_what_it_lacks() {
        let error = |text: &str| Line::parse(text).expect_err("it is wrong").to_string();
        assert!(error("a.b").starts_with("it has no arguments;"));
        assert!(error("a.b(\"x)").starts_with("its parenthesis is not closed;"));
        assert!(error("a.(1)").starts_with("it names no method;"));
        assert!(error("a b.c(1)").starts_with("it names no method;"));
        assert!(error("a.b(1) = 2").starts_with("what follows the call is neither"));
        assert!(error("a.b(1) ->").starts_with("what follows the call is neither"));
    }
}
