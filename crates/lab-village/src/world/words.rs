//! The words of the village. The settings can cut every list short; its first words are taken. No word is in two
//! lists, and words that follow an article begin with a consonant.

pub(crate) const WOMEN: [&str; 60] = [
    "Anna", "Bella", "Clara", "Dora", "Ella", "Fanny", "Greta", "Hanna", "Ida", "Jenny", "Kate",
    "Lena", "Maria", "Nora", "Paula", "Rita", "Sara", "Tina", "Ursula", "Vera", "Wendy", "Zoe",
    "Alice", "Betty", "Carla", "Diana", "Emma", "Flora", "Gina", "Helen", "Irma", "Julia", "Karen",
    "Lucy", "Martha", "Nelly", "Polly", "Rosa", "Susan", "Tessa", "Vicky", "Wilma", "Agnes",
    "Berta", "Cora", "Doris", "Edith", "Frieda", "Gloria", "Hilda", "Irene", "Judith", "Klara",
    "Laura", "Mona", "Nina", "Petra", "Ruth", "Stella", "Thea",
];

pub(crate) const MEN: [&str; 60] = [
    "Adam", "Ben", "Carl", "David", "Emil", "Felix", "George", "Hugo", "Ivan", "Jacob", "Karl",
    "Leo", "Max", "Noah", "Oscar", "Peter", "Ralph", "Simon", "Tom", "Urs", "Victor", "Walter",
    "Xavier", "Albert", "Bruno", "Conrad", "Daniel", "Eric", "Fred", "Gustav", "Henry", "Isaac",
    "Jonas", "Kurt", "Louis", "Martin", "Nathan", "Otto", "Paul", "Robert", "Samuel", "Theo",
    "Vincent", "William", "Arthur", "Boris", "Casper", "Dennis", "Edgar", "Frank", "Gilbert",
    "Harold", "Igor", "Julius", "Kevin", "Lorenz", "Moritz", "Norman", "Philip", "Roman",
];

pub(crate) const SURNAMES: [&str; 120] = [
    "Brook", "Field", "Stone", "Hill", "Marsh", "Reed", "Lake", "Moor", "Vale", "Ford", "Glen",
    "Heath", "Grove", "Banks", "Woods", "Rivers", "Frost", "Hail", "Storm", "Barrow", "Summers",
    "Dale", "Knight", "King", "Bishop", "Abbot", "Noble", "Young", "Small", "Strong", "Swift",
    "Wise", "Bright", "Sharp", "Savage", "Wild", "Gentle", "Merry", "Lambert", "Short", "Little",
    "Hope", "Joy", "Luck", "Bellamy", "Horn", "Harper", "Page", "Archer", "Hunter", "Carter",
    "Porter", "Turner", "Walker", "Fisher", "Fletcher", "Forester", "Falconer", "Parker", "Potts",
    "Barley", "Rye", "Oakes", "Ash", "Birch", "Elm", "Holly", "Hazel", "Rowan", "Thorn", "Briar",
    "Fern", "Moss", "Clover", "Nettle", "Bramble", "Lark", "Finch", "Wren", "Crane", "Heron",
    "Drake", "Plover", "Starling", "Hawk", "Wolf", "Hart", "Roe", "Otter", "Bull", "Colt", "Steel",
    "Flint", "Marble", "Pebble", "Sands", "Clay", "Waters", "Pool", "Wells", "Shore", "Cove",
    "Bay", "Tower", "Hall", "Hedge", "Barn", "Gates", "Bridges", "Stead", "Lodge", "Fort",
    "Temple", "Chambers", "Cottage", "Manor", "Haven", "Port", "Quay", "Bower",
];

pub(crate) const STREETS: [&str; 32] = [
    "Mill Road",
    "Church Road",
    "Apple Road",
    "Garden Road",
    "Market Road",
    "School Road",
    "Orchard Road",
    "Meadow Road",
    "Chapel Road",
    "Cherry Road",
    "Station Road",
    "Castle Road",
    "Harbour Road",
    "Pine Road",
    "Willow Road",
    "Poplar Road",
    "Fountain Road",
    "Cart Road",
    "Ferry Road",
    "Forge Road",
    "Lower Road",
    "Upper Road",
    "North Road",
    "South Road",
    "East Road",
    "West Road",
    "Quarry Road",
    "Vine Road",
    "Linden Road",
    "Maple Road",
    "Cedar Road",
    "Barrack Road",
];

pub(crate) const PETS: [&str; 32] = [
    "cat", "dog", "rabbit", "goat", "parrot", "hen", "pony", "duck", "goose", "tortoise",
    "hamster", "ferret", "lamb", "pigeon", "donkey", "mouse", "canary", "frog", "lizard", "snail",
    "horse", "hedgehog", "squirrel", "raven", "turkey", "peacock", "badger", "beetle", "weasel",
    "swan", "sheep", "calf",
];

pub(crate) const TRADES: [&str; 32] = [
    "baker", "potter", "tailor", "miller", "weaver", "sawyer", "gardener", "teacher", "doctor",
    "nurse", "farmer", "diver", "smith", "cook", "painter", "barber", "sailor", "tinker",
    "shepherd", "mason", "printer", "glazier", "cobbler", "brewer", "roofer", "joiner", "dyer",
    "saddler", "fiddler", "piper", "clerk", "judge",
];

pub(crate) const FOODS: [&str; 32] = [
    "plums", "pears", "cherries", "beans", "peas", "nuts", "bread", "cheese", "honey", "soup",
    "rice", "porridge", "pancakes", "onions", "carrots", "turnips", "radishes", "berries", "figs",
    "grapes", "melons", "noodles", "waffles", "fish", "ham", "pudding", "jam", "biscuits",
    "lentils", "cabbage", "spinach", "peaches",
];

pub(crate) const COLOURS: [&str; 32] = [
    "red", "blue", "green", "yellow", "purple", "brown", "black", "white", "grey", "pink", "gold",
    "silver", "crimson", "violet", "scarlet", "beige", "mint", "lilac", "maroon", "teal", "cream",
    "ruby", "copper", "bronze", "coral", "khaki", "magenta", "rust", "lemon", "sand", "salmon",
    "mauve",
];

pub(crate) const SEASONS: [&str; 12] = [
    "early spring",
    "mid spring",
    "late spring",
    "early summer",
    "mid summer",
    "late summer",
    "early autumn",
    "mid autumn",
    "late autumn",
    "early winter",
    "mid winter",
    "late winter",
];

pub(crate) const SHOPS: [&str; 32] = [
    "Anchor", "Crown", "Star", "Wheel", "Kettle", "Lantern", "Key", "Ladder", "Drum", "Compass",
    "Feather", "Thistle", "Acorn", "Saddle", "Windmill", "Ship", "Comet", "Moon", "Barrel",
    "Arrow", "Whistle", "Mirror", "Pitcher", "Hammer", "Needle", "Basin", "Trumpet", "Sundial",
    "Rainbow", "Dragon", "Unicorn", "Mermaid",
];

pub(crate) const GOODS: [&str; 32] = [
    "candles", "ropes", "boots", "hats", "books", "lamps", "brooms", "baskets", "clocks", "kites",
    "bells", "buttons", "ribbons", "spoons", "pots", "maps", "toys", "gloves", "scarves", "combs",
    "brushes", "blankets", "tables", "chairs", "socks", "mittens", "pencils", "nails", "rings",
    "purses", "curtains", "pillows",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_word_stands_in_two_lists() {
        let lists: [&[&str]; 11] = [
            &WOMEN, &MEN, &SURNAMES, &PETS, &TRADES, &FOODS, &COLOURS, &SHOPS, &GOODS, &STREETS,
            &SEASONS,
        ];
        let mut seen = BTreeSet::new();
        for word in lists.iter().flat_map(|list| list.iter()) {
            assert!(
                seen.insert(word.to_lowercase()),
                "{word} stands in two lists"
            );
        }
    }

    #[test]
    fn what_follows_an_article_begins_with_a_consonant() {
        for word in PETS.iter().chain(&TRADES).chain(&COLOURS) {
            assert!(!word.starts_with(['a', 'e', 'i', 'o', 'u']), "a {word}");
        }
    }
}
