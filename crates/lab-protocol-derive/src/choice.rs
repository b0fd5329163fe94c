//! Enums: values to choose from, or layouts, one of which is chosen by serde's tag.

use crate::attributes::{Docs, Serde, SettingAttribute, in_words, snake_case};
use crate::fields::Field;
use crate::object::rest;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Fields, LitStr, Variant};

pub fn of_values(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let title = name.to_string();
    let Docs { help, .. } = Docs::of(&input.attrs);
    let choices = data.variants.iter().map(choice);
    let choices = choices.collect::<syn::Result<Vec<_>>>()?;
    Ok(quote! {
        impl ::lab_protocol::SettingType for #name {
            const KIND: ::lab_protocol::Kind =
                ::lab_protocol::Kind::Choice(&::lab_protocol::Choices {
                    name: #title,
                    help: #help,
                    choices: &[#(#choices),*],
                });
        }
    })
}

pub fn of_layouts(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let title = name.to_string();
    let Docs { help, .. } = Docs::of(&input.attrs);
    let tag = Serde::of(&input.attrs)?
        .tag
        .ok_or_else(|| syn::Error::new_spanned(name, "its layouts need serde's tag"))?;
    let mut layouts = Vec::new();
    let mut arms = Vec::new();
    for variant in &data.variants {
        let fields = match &variant.fields {
            Fields::Named(fields) => Field::all(fields, false)?,
            Fields::Unit => Vec::new(),
            Fields::Unnamed(_) => {
                return Err(syn::Error::new_spanned(
                    variant,
                    "settings need named fields",
                ));
            }
        };
        let ident = &variant.ident;
        let names = fields.iter().map(|field| field.ident);
        let checks = fields.iter().map(|field| {
            let ident = field.ident;
            field.check(quote!(#ident))
        });
        arms.push(quote!(Self::#ident { #(#names),* } => { #(#checks)* }));
        let choice = choice(variant)?;
        let settings = fields.iter().map(Field::description);
        layouts.push(quote!(::lab_protocol::Layout {
            choice: #choice,
            settings: &[#(#settings),*],
        }));
    }
    let rest = rest(input)?;
    Ok(quote! {
        #[allow(clippy::unnecessary_cast)]
        impl #name {
            /// Checks every range of the layout, then conditions on several settings. The error names the field.
            pub fn validate(&self) -> ::std::result::Result<(), ::lab_protocol::LabError> {
                match self { #(#arms)* }
                #rest
            }
        }

        #[allow(clippy::unnecessary_cast)]
        impl ::lab_protocol::SettingType for #name {
            const KIND: ::lab_protocol::Kind =
                ::lab_protocol::Kind::Layouts(&::lab_protocol::Layouts {
                    name: #title,
                    help: #help,
                    tag: #tag,
                    layouts: &[#(#layouts),*],
                });

            fn check(
                &self,
                name: &'static str,
                _: ::std::option::Option<::lab_protocol::Range>,
            ) -> ::std::result::Result<(), ::lab_protocol::LabError> {
                self.validate().map_err(|error| error.at(name))
            }
        }
    })
}

/// A `Choice`.
fn choice(variant: &Variant) -> syn::Result<TokenStream> {
    let value = snake_case(&variant.ident);
    let label = SettingAttribute::of(&variant.attrs)?.label;
    let label = label
        .as_ref()
        .map_or_else(|| in_words(&value), LitStr::value);
    let Docs { help, .. } = Docs::of(&variant.attrs);
    Ok(quote!(::lab_protocol::Choice { value: #value, label: #label, help: #help }))
}
