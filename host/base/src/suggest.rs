//! Guesses what a mistyped name was meant to be.

/// The most candidates that are compared: nobody looks for a typing mistake in a list of ten thousand names by hand, and a
/// machine that wrote so many made none.
const CANDIDATES_MAX: usize = 1000;
/// The longest name that is compared with anything. The time of a comparison is the product of both lengths.
const NAME_BYTES_MAX: usize = 200;

/// The candidate nearest to `name`, if one is near enough to have been meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One edit in three letters still reads as the same word; more suggests nonsense.
    let edits_max = name.chars().count().div_ceil(3);
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter(|candidate| candidate.len() <= NAME_BYTES_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// The hint ``did you mean `x`?`` for [`nearest`].
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}
