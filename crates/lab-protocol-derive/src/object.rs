//! A struct of settings.

use crate::attributes::{Docs, Serde, check};
use crate::fields::Field;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, FieldsNamed};

pub fn of_struct(input: &DeriveInput, fields: &FieldsNamed) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let title = name.to_string();
    let Docs { help, notes } = Docs::of(&input.attrs);
    let by_struct = Serde::of(&input.attrs)?.default;
    let fields = Field::all(fields, by_struct)?;
    let descriptions = fields.iter().map(Field::description);
    let checks = fields.iter().map(|field| {
        let ident = field.ident;
        field.check(quote!(&self.#ident))
    });
    let rest = rest(input)?;
    let default = by_struct.then(|| {
        let idents = fields.iter().map(|field| field.ident);
        let values = fields.iter().map(Field::default);
        quote! {
            impl ::std::default::Default for #name {
                fn default() -> Self {
                    Self { #(#idents: #values),* }
                }
            }
        }
    });
    Ok(quote! {
        #default

        #[allow(clippy::unnecessary_cast)]
        impl #name {
            /// Checks every range and every part, then conditions on several settings. The error names the field.
            pub fn validate(&self) -> ::std::result::Result<(), ::lab_protocol::LabError> {
                #(#checks)*
                #rest
            }
        }

        #[allow(clippy::unnecessary_cast)]
        impl ::lab_protocol::Settings for #name {
            const OBJECT: &'static ::lab_protocol::Object = &::lab_protocol::Object {
                name: #title,
                help: #help,
                notes: #notes,
                settings: &[#(#descriptions),*],
            };

            fn validate(&self) -> ::std::result::Result<(), ::lab_protocol::LabError> {
                self.validate()
            }
        }

        impl ::lab_protocol::SettingType for #name {
            const KIND: ::lab_protocol::Kind =
                ::lab_protocol::Kind::Part(<Self as ::lab_protocol::Settings>::OBJECT);

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

/// The check after the ranges.
pub fn rest(input: &DeriveInput) -> syn::Result<TokenStream> {
    Ok(match check(&input.attrs)? {
        Some(function) => quote!(#function(self)),
        None => quote!(Ok(())),
    })
}
