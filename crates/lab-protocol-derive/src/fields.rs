//! Fields of a struct or of a variant: their description, their check and their default.

use crate::attributes::{Docs, Serde, SettingAttribute, in_words};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{FieldsNamed, Ident, LitStr, Type};

pub struct Field<'a> {
    pub ident: &'a Ident,
    ty: &'a Type,
    name: String,
    attribute: SettingAttribute,
    docs: Docs,
    serde: Serde,
    /// Whether serde takes a missing value from the struct's `Default`.
    by_struct: bool,
}

impl<'a> Field<'a> {
    /// `by_struct`: whether the struct has serde's `default`.
    pub fn all(fields: &'a FieldsNamed, by_struct: bool) -> syn::Result<Vec<Self>> {
        let read = |field: &'a syn::Field| {
            let ident = field
                .ident
                .as_ref()
                .ok_or_else(|| syn::Error::new_spanned(field, "a setting needs a name"))?;
            Ok(Self {
                ident,
                ty: &field.ty,
                name: ident.unraw().to_string(),
                attribute: SettingAttribute::of(&field.attrs)?,
                docs: Docs::of(&field.attrs),
                serde: Serde::of(&field.attrs)?,
                by_struct,
            })
        };
        fields.named.iter().map(read).collect()
    }

    /// The default as an expression.
    pub fn default(&self) -> TokenStream {
        let value = self.attribute.default.clone();
        match (value, &self.serde.default_function) {
            (Some(value), _) if syn::parse2::<LitStr>(value.clone()).is_ok() => {
                quote!(::std::convert::Into::into(#value))
            }
            (Some(value), _) => value,
            (None, Some(function)) => quote!(#function()),
            (None, None) => quote!(::std::default::Default::default()),
        }
    }

    fn range(&self) -> TokenStream {
        match &self.attribute.range {
            Some((low, high)) => quote!(Some(::lab_protocol::Range {
                low: (#low) as f64,
                high: #high,
            })),
            None => quote!(None),
        }
    }

    /// A `Setting`.
    pub fn description(&self) -> TokenStream {
        let (ty, name, attribute) = (self.ty, &self.name, &self.attribute);
        let label = text(&attribute.label, || in_words(name));
        let unit = text(&attribute.unit, String::new);
        let none = text(&attribute.none, || "None".to_owned());
        let Docs { help, notes } = &self.docs;
        let group = match &attribute.group {
            Some(group) => quote!(Some(::lab_protocol::Group::#group)),
            None => quote!(None),
        };
        let kind = match attribute.lines {
            true => quote!(::lab_protocol::Kind::Lines),
            false => quote!(<#ty as ::lab_protocol::SettingType>::KIND),
        };
        let when = match &attribute.when {
            Some((path, values)) => quote!(Some(::lab_protocol::Condition {
                path: #path,
                values: &[#(#values),*],
            })),
            None => quote!(None),
        };
        let given = self.by_struct || self.serde.default || self.serde.default_function.is_some();
        let default = match given {
            true => {
                let value = self.default();
                quote!(Some(|| ::lab_protocol::json::<#ty>(#value)))
            }
            false => quote!(None),
        };
        let range = self.range();
        quote!(::lab_protocol::Setting {
            name: #name,
            label: #label,
            help: #help,
            notes: #notes,
            unit: #unit,
            none: #none,
            group: #group,
            kind: #kind,
            optional: <#ty as ::lab_protocol::SettingType>::OPTIONAL,
            range: #range,
            default: #default,
            when: #when,
        })
    }

    /// The check of `value`, a reference to the field's.
    pub fn check(&self, value: TokenStream) -> TokenStream {
        let (name, range) = (&self.name, self.range());
        quote!(::lab_protocol::SettingType::check(#value, #name, #range)?;)
    }
}

fn text(given: &Option<LitStr>, otherwise: impl FnOnce() -> String) -> String {
    given.as_ref().map_or_else(otherwise, LitStr::value)
}
