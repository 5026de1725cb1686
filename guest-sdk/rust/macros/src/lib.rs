//! The `node!` macro of `lp-guest`, which documents it. The work is in `options` (what the user writes) and `expand`.

mod expand;
mod options;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a node of a WIT world; see `lp_guest::node`.
#[proc_macro]
pub fn node(input: TokenStream) -> TokenStream {
    let options = syn::parse_macro_input!(input as options::Options);
    expand::expand(&options).unwrap_or_else(syn::Error::into_compile_error).into()
}
