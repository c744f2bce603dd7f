// Constant tables of the words that names are made of.
#include "loadgen/dataset/words.h"

#include <array>

namespace pantryd::loadgen::words {
namespace {

using Word = std::string_view;

constexpr std::array<Word, 5> kMl{"250ml", "500ml", "750ml", "1L", "2L"};
constexpr std::array<Word, 6> kKg{"250g", "500g", "1kg", "2kg", "5kg", "10kg"};
constexpr std::array<Word, 6> kGram{"50g", "100g", "150g", "200g", "400g", "800g"};
constexpr std::array<Word, 5> kPack{"Single", "3 Pack", "6 Pack", "12 Pack", "24 Pack"};
constexpr std::array<Word, 4> kOil{"500ml", "1L", "3L", "5L"};

constexpr std::array<Word, 8> kDairy{"Fresh Milk",    "Long Life Milk", "Mala", "Yoghurt Vanilla",
                                     "Yoghurt Mango", "Cream",          "Ghee", "Lala"};
constexpr std::array<Word, 8> kDairyBrands{"Brookside", "KCC", "Ilara", "Daima",
                                           "Tuzo",      "Bio", "Molo",  "Fresha"};
constexpr std::array<Word, 6> kFlour{"Maize Flour", "Wheat Flour",  "Chapati Flour",
                                     "Ugali Flour", "Millet Flour", "Porridge Flour"};
constexpr std::array<Word, 8> kFlourBrands{"Jogoo", "Soko",  "Pembe",   "Ajab",
                                           "EXE",   "Ndovu", "Hostess", "Famila"};
constexpr std::array<Word, 6> kRice{"Pishori Rice", "Basmati Rice",    "Biriani Rice",
                                    "Brown Rice",   "Long Grain Rice", "Broken Rice"};
constexpr std::array<Word, 6> kRiceBrands{"Mwea", "Daawat", "Sunrice", "Ranee", "Cil", "Nice"};
constexpr std::array<Word, 5> kOils{"Cooking Oil", "Sunflower Oil", "Corn Oil", "Olive Oil",
                                    "Vegetable Fat"};
constexpr std::array<Word, 8> kOilBrands{"Elianto", "Rina",  "Fresh Fri", "Golden Fry",
                                         "Salit",   "Kimbo", "Cowboy",    "Postman"};
constexpr std::array<Word, 5> kSugar{"White Sugar", "Brown Sugar", "Icing Sugar", "Jaggery",
                                     "Table Salt"};
constexpr std::array<Word, 7> kSugarBrands{"Mumias",   "Kabras",  "Sony",  "Nutrameal",
                                           "Chemelil", "Kensalt", "Butali"};
constexpr std::array<Word, 8> kTea{"Tea Leaves",     "Tea Bags",      "Green Tea",
                                   "Instant Coffee", "Ground Coffee", "Drinking Chocolate",
                                   "Masala Tea",     "Cocoa Powder"};
constexpr std::array<Word, 8> kTeaBrands{"Ketepa",  "Kericho Gold", "Baraka",  "Dormans",
                                         "Nescafe", "Africafe",     "Cadbury", "Raha"};
constexpr std::array<Word, 6> kBread{"White Bread", "Brown Bread", "Milk Bread",
                                     "Scones",      "Buns",        "Queen Cakes"};
constexpr std::array<Word, 6> kBreadBrands{"Supaloaf", "Festive",       "Broadways",
                                           "Elliots",  "Mini Bakeries", "Kenblest"};
constexpr std::array<Word, 8> kVegetables{"Sukuma Wiki", "Spinach", "Cabbage",  "Tomatoes",
                                          "Red Onions",  "Carrots", "Potatoes", "Green Peas"};
constexpr std::array<Word, 8> kFruit{"Bananas", "Mangoes", "Avocado",       "Pineapple",
                                     "Oranges", "Pawpaw",  "Passion Fruit", "Watermelon"};
constexpr std::array<Word, 5> kFarms{"Farm Fresh", "Zucchini", "Kinangop", "Limuru", "Naivas"};
constexpr std::array<Word, 6> kMeat{"Beef Mince", "Goat Meat", "Chicken Breast",
                                    "Sausages",   "Smokies",   "Tilapia Fillet"};
constexpr std::array<Word, 5> kMeatBrands{"Farmers Choice", "Kenchic", "Quality Meat", "Alpha",
                                          "Victoria"};
constexpr std::array<Word, 7> kSnacks{"Potato Crisps",    "Peanuts", "Biscuits",      "Popcorn",
                                      "Glucose Biscuits", "Chevda",  "Cassava Crisps"};
constexpr std::array<Word, 7> kSnackBrands{"Tropical Heat", "Krackles", "Britania", "Manji",
                                           "Urban Bites",   "Norda",    "Nuvita"};
constexpr std::array<Word, 7> kSoda{"Cola",        "Orange Soda", "Ginger Ale",    "Bitter Lemon",
                                    "Tonic Water", "Mango Juice", "Drinking Water"};
constexpr std::array<Word, 8> kSodaBrands{"Coca-Cola", "Fanta", "Stoney",   "Krest",
                                          "Delmonte",  "Afia",  "Keringet", "Dasani"};
constexpr std::array<Word, 6> kSweets{"Milk Chocolate", "Toffee", "Chewing Gum",
                                      "Lollipops",      "Mints",  "Marshmallows"};
constexpr std::array<Word, 5> kSweetBrands{"Cadbury", "Kenafric", "Patco", "Wrigleys", "Mars"};
constexpr std::array<Word, 6> kSoap{"Bar Soap",    "Bathing Soap", "Washing Powder",
                                    "Dish Liquid", "Bleach",       "Fabric Softener"};
constexpr std::array<Word, 8> kSoapBrands{"Omo",   "Ariel",  "Sunlight", "Menengai",
                                          "Jamaa", "Geisha", "Jik",      "Toss"};
constexpr std::array<Word, 6> kCare{"Toothpaste",      "Body Lotion", "Shampoo",
                                    "Petroleum Jelly", "Roll On",     "Hair Food"};
constexpr std::array<Word, 7> kCareBrands{"Colgate", "Nivea", "Arimis",         "Vaseline",
                                          "Closeup", "Venus", "Nice and Lovely"};
constexpr std::array<Word, 5> kBaby{"Diapers", "Baby Wipes", "Baby Cereal", "Infant Formula",
                                    "Baby Lotion"};
constexpr std::array<Word, 5> kBabyBrands{"Pampers", "Huggies", "Cerelac", "Nan", "Softcare"};
constexpr std::array<Word, 6> kSpices{"Royco Mchuzi Mix", "Curry Powder", "Black Pepper",
                                      "Pilau Masala",     "Turmeric",     "Tomato Paste"};
constexpr std::array<Word, 5> kSpiceBrands{"Royco", "Simba Mbili", "Tropical Heat", "Kenylon",
                                           "Zesta"};
constexpr std::array<Word, 6> kPulses{"Beans Rosecoco", "Green Grams", "Lentils",
                                      "Njahi",          "Githeri Mix", "Chickpeas"};
constexpr std::array<Word, 4> kPulseBrands{"Cil", "Nutrameal", "Pendo", "Farm Fresh"};
constexpr std::array<Word, 6> kPaper{"Toilet Tissue", "Serviettes",    "Kitchen Towel",
                                     "Facial Tissue", "Exercise Book", "Matches"};
constexpr std::array<Word, 5> kPaperBrands{"Hanan", "Rosy", "Velvex", "Toilex", "Kasuku"};
constexpr std::array<Word, 5> kPasta{"Spaghetti", "Macaroni", "Noodles Beef", "Noodles Chicken",
                                     "Vermicelli"};
constexpr std::array<Word, 5> kPastaBrands{"Santa Maria", "Indomie", "Pasta Regalia", "Barilla",
                                           "Nuvita"};

constexpr std::array<Category, 20> kCategories{{
    {"Dairy", kDairy, kDairyBrands, kMl, 45, 320},
    {"Flour", kFlour, kFlourBrands, kKg, 60, 450},
    {"Rice", kRice, kRiceBrands, kKg, 90, 1900},
    {"Cooking Oil", kOils, kOilBrands, kOil, 150, 1700},
    {"Sugar and Salt", kSugar, kSugarBrands, kKg, 30, 900},
    {"Tea and Coffee", kTea, kTeaBrands, kGram, 50, 950},
    {"Bakery", kBread, kBreadBrands, kGram, 35, 180},
    {"Vegetables", kVegetables, kFarms, kKg, 20, 350},
    {"Fruit", kFruit, kFarms, kKg, 20, 400},
    {"Meat and Fish", kMeat, kMeatBrands, kKg, 180, 1400},
    {"Snacks", kSnacks, kSnackBrands, kGram, 20, 380},
    {"Soft Drinks", kSoda, kSodaBrands, kMl, 35, 260},
    {"Confectionery", kSweets, kSweetBrands, kGram, 5, 350},
    {"Household", kSoap, kSoapBrands, kGram, 30, 700},
    {"Personal Care", kCare, kCareBrands, kMl, 60, 850},
    {"Baby", kBaby, kBabyBrands, kPack, 120, 2400},
    {"Spices", kSpices, kSpiceBrands, kGram, 15, 320},
    {"Pulses", kPulses, kPulseBrands, kKg, 80, 950},
    {"Paper and Stationery", kPaper, kPaperBrands, kPack, 10, 650},
    {"Pasta and Noodles", kPasta, kPastaBrands, kGram, 35, 340},
}};

constexpr std::array<Word, 12> kVariants{"",        "Classic", "Premium", "Family",
                                         "Value",   "Extra",   "Special", "Gold",
                                         "Natural", "Royal",   "Select",  "Fresh"};
constexpr std::array<Word, 10> kSuppliers{
    "Bidco Africa",    "Unga Limited",        "Brookside Dairy",    "Kapa Oil Refineries",
    "Unilever Kenya",  "Twiga Foods",         "Capwell Industries", "Pwani Oil Products",
    "Haco Industries", "Chandaria Industries"};
constexpr std::array<Word, 24> kFirstNames{
    "Wanjiku", "Achieng", "Kamau",   "Otieno", "Njeri",  "Mwangi",  "Akinyi", "Kiprop",
    "Chebet",  "Mutua",   "Nduku",   "Hassan", "Fatuma", "Omondi",  "Wambui", "Kibet",
    "Atieno",  "Kariuki", "Naliaka", "Wekesa", "Moraa",  "Nyaboke", "Juma",   "Zainab"};
constexpr std::array<Word, 20> kLastNames{"Mwangi", "Odhiambo", "Njoroge",  "Kiptoo",    "Mutiso",
                                          "Wafula", "Onyango",  "Kimani",   "Cheruiyot", "Abdi",
                                          "Maina",  "Barasa",   "Githinji", "Langat",    "Musyoka",
                                          "Okoth",  "Ndegwa",   "Rotich",   "Simiyu",    "Gitau"};
constexpr std::array<Word, 6> kExpenses{"Rent",     "Electricity", "Transport",
                                        "Salaries", "Packaging",   "Repairs"};

}  // namespace

std::span<const Category> categories() {
  return kCategories;
}
std::span<const Word> variants() {
  return kVariants;
}
std::span<const Word> suppliers() {
  return kSuppliers;
}
std::span<const Word> first_names() {
  return kFirstNames;
}
std::span<const Word> last_names() {
  return kLastNames;
}
std::span<const Word> expense_categories() {
  return kExpenses;
}

}  // namespace pantryd::loadgen::words
