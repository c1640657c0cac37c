//! "Did you mean ...?"

/// The known word that was most probably meant.
///
/// One slip in three letters is forgiven, at least one; capitals and `_` for `-` cost nothing.
pub(super) fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let given = given.to_lowercase().replace('_', "-");
    let forgiven = (given.chars().count() / 3).max(1);
    let distances = known.map(|word| (strsim::osa_distance(&given, word), word));
    let near = distances.filter(|(distance, _)| *distance <= forgiven);
    near.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}
