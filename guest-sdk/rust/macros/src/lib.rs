//! The macros of `lp-guest`, which documents them. The work of `node!` is in `options` (what the user writes) and `expand`, that
//! of `#[tests]` in `listed`.

mod expand;
mod listed;
mod options;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes the functions of an `impl` the tests of a node; see `lp_guest::tests`.
#[proc_macro_attribute]
pub fn tests(options: TokenStream, input: TokenStream) -> TokenStream {
    let tests = syn::parse_macro_input!(input as syn::ItemImpl);
    listed::expand(&options.into(), &tests).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a node of a WIT world; see `lp_guest::node`.
#[proc_macro]
pub fn node(input: TokenStream) -> TokenStream {
    let options = syn::parse_macro_input!(input as options::Options);
    expand::expand(&options).unwrap_or_else(syn::Error::into_compile_error).into()
}
