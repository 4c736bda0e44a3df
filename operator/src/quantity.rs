//! Amounts as Kubernetes writes them: `20Gi`, `1500M`, `0.5`. Pure.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The whole bytes of an amount, rounded down. `None` if it is no amount of bytes, or more than
/// fit into 64 bits.
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>)
pub fn bytes(quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.as_str();
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit: u128 = match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "E" => 1_000_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        exponent => 10_u128.checked_pow(exponent.strip_prefix(['e', 'E'])?.parse().ok()?)?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // More digits than that are less than a byte of the largest unit.
    let fraction = &fraction[..fraction.len().min(15)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    u64::try_from(digits.checked_mul(unit)? / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<u64> {
        bytes(&Quantity(text.to_owned()))
    }

    #[test]
    fn amounts_are_read_as_kubernetes_means_them() {
        assert_eq!(of("20Gi"), Some(20 << 30));
        assert_eq!(of("1500M"), Some(1_500_000_000));
        assert_eq!(of("0.5Gi"), Some(1 << 29));
        assert_eq!(of("8388608Ki"), Some(8 << 30));
        assert_eq!(of("1024"), Some(1024));
        assert_eq!(of("1e3"), Some(1_000));
    }

    #[test]
    fn what_is_no_amount_of_bytes_is_none() {
        for text in [
            "",
            "Gi",
            "-1",
            "1Zi",
            "1ki",
            "1.2.3",
            "500m",
            "99999999Pi",
            "1e",
            "1e99",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
