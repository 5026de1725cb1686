//! From an `impl` with tests to the exported interface that lists and runs them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Ident, ImplItem, ItemImpl, Result};

/// Writes the `impl` as it is, and beside it that of `lp:test/tests`.
pub fn expand(options: &TokenStream, tests: &ItemImpl) -> Result<TokenStream> {
    if !options.is_empty() {
        return Err(Error::new_spanned(options, "`#[lp_guest::tests]` takes no options"));
    }
    if let Some((_, of, _)) = &tests.trait_ {
        return Err(Error::new_spanned(of, "`#[lp_guest::tests]` is for an `impl` of the node's own, `impl Driver`"));
    }
    let node = &tests.self_ty;
    let mut names = Vec::new();
    let mut arms = TokenStream::new();
    for item in &tests.items {
        let ImplItem::Fn(function) = item else {
            return Err(Error::new_spanned(item, "only tests can be here, which are functions"));
        };
        let signature = &function.sig;
        if !signature.inputs.is_empty() || !signature.generics.params.is_empty() {
            return Err(Error::new_spanned(signature, "a test takes no arguments"));
        }
        let (function, name) = (&signature.ident, name_of(&signature.ident));
        let wait = signature.asyncness.map(|_| quote!(.await));
        arms.extend(quote!(#name => ::lp_guest::TestResult::into_result(Self::#function() #wait),));
        names.push(name);
    }
    if names.is_empty() {
        return Err(Error::new_spanned(node, "there is no test in here"));
    }
    Ok(quote! {
        #tests
        impl exports::lp::test::tests::Guest for #node {
            fn names() -> ::std::vec::Vec<::std::string::String> {
                [#(#names),*].map(::std::string::String::from).to_vec()
            }

            async fn run(name: ::std::string::String) -> ::core::result::Result<(), ::std::string::String> {
                match name.as_str() {
                    #arms
                    _ => ::core::result::Result::Err(::std::format!("there is no test `{name}`")),
                }
            }
        }
    })
}

/// The name of a test, in kebab-case as all names of a program.
fn name_of(function: &Ident) -> String {
    function.to_string().trim_start_matches("r#").trim_start_matches("test_").replace('_', "-")
}
