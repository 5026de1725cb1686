//! What a user writes between the braces of `node!`. Nothing here reads files.

use lp_wit::Style;
use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Result, Token, token};

/// The options that go to `wit_bindgen::generate!` as they are.
const PASSED_ON: [&str; 4] = ["additional_derives", "async", "generate_unused_types", "ownership"];

/// The options of `node!`.
#[derive(Default)]
pub struct Options {
    /// The type that implements the exports.
    pub node: Option<Ident>,
    /// The world's name.
    pub world: Option<LitStr>,
    /// The WIT folder, relative to the crate.
    pub path: Option<LitStr>,
    /// How the methods of derived handles are called.
    pub handles: Style,
    /// The entries of `with`, in the form of `wit_bindgen::generate!`.
    pub with: TokenStream,
    /// Whole options for `wit_bindgen::generate!`, each followed by a comma.
    pub passed_on: TokenStream,
    /// The names of the options that were given.
    given: Vec<String>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let inner;
        let fields = if input.peek(token::Brace) {
            syn::braced!(inner in input);
            &inner
        } else {
            input
        };
        let mut options = Self::default();
        while !fields.is_empty() {
            options.parse_option(fields)?;
            if !fields.is_empty() {
                fields.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn parse_option(&mut self, input: ParseStream<'_>) -> Result<()> {
        // `async` is an option and a keyword.
        let key = input.call(Ident::parse_any)?;
        let name = key.to_string();
        if self.given.contains(&name) {
            return Err(Error::new(key.span(), format!("the option `{name}` is given twice")));
        }
        input.parse::<Token![:]>()?;
        match name.as_str() {
            "node" => self.node = Some(input.parse()?),
            "world" => self.world = Some(input.parse()?),
            "path" => self.path = Some(input.parse()?),
            "handles" => self.handles = parse_style(input)?,
            "with" => self.with = parse_with(input)?,
            passed_on if PASSED_ON.contains(&passed_on) => {
                let value = parse_value(input)?;
                self.passed_on.extend(quote!(#key: #value,));
            }
            _ => {
                let known = ["node", "world", "path", "handles", "with"].into_iter().chain(PASSED_ON);
                let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
                let message = format!("no option is named `{name}`; there are {}", known.join(", "));
                return Err(Error::new(key.span(), message));
            }
        }
        self.given.push(name);
        Ok(())
    }
}

fn parse_style(input: ParseStream<'_>) -> Result<Style> {
    let style: LitStr = input.parse()?;
    match style.value().as_str() {
        "async" => Ok(Style::Async),
        "future" => Ok(Style::Future),
        "sync" => Ok(Style::Sync),
        _ => Err(Error::new(style.span(), "handles are `\"async\"`, `\"future\"` or `\"sync\"`")),
    }
}

/// The entries between the braces, with a comma at the end.
fn parse_with(input: ParseStream<'_>) -> Result<TokenStream> {
    let inner;
    syn::braced!(inner in input);
    let entries: TokenStream = inner.parse()?;
    let ends = entries.clone().into_iter().last();
    let open = ends.is_some_and(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
    Ok(if open { quote!(#entries,) } else { entries })
}

/// Everything up to the next comma outside of brackets.
fn parse_value(input: ParseStream<'_>) -> Result<TokenStream> {
    let mut value = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        value.extend([input.parse::<TokenTree>()?]);
    }
    if value.is_empty() {
        return Err(input.error("expected a value"));
    }
    Ok(value)
}
