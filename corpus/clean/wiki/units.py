"""Units of `{{convert}}`: codes, symbols and English names (the template's documentation lists them)."""

_UNITS = """
km km kilometre;m m metre;cm cm centimetre;mm mm millimetre;um μm micrometre;µm μm micrometre;nm nm nanometre
mi mi mile;mile mi mile;miles mi mile;yd yd yard;ft ft foot/feet;foot ft foot/feet;feet ft foot/feet;in in inch/inches
inch in inch/inches;nmi nmi nautical_mile;NM nmi nautical_mile;furlong furlong furlong;chain chain chain;ly ly light-year
pc pc parsec;kpc kpc kiloparsec;Mpc Mpc megaparsec;AU AU astronomical_unit;au au astronomical_unit;fathom fathom fathom
hand h hand;km2 km² square_kilometre;sqkm km² square_kilometre;m2 m² square_metre;sqm m² square_metre
cm2 cm² square_centimetre;mm2 mm² square_millimetre;ha ha hectare;daa daa decare;sqmi sq_mi square_mile
mi2 sq_mi square_mile;sqft sq_ft square_foot/square_feet;ft2 sq_ft square_foot/square_feet;sqyd sq_yd square_yard
sqin sq_in square_inch/square_inches;acre acres acre;acres acres acre;km3 km³ cubic_kilometre;m3 m³ cubic_metre
cm3 cm³ cubic_centimetre;cc cc cubic_centimetre;cumi cu_mi cubic_mile;cuft cu_ft cubic_foot/cubic_feet
cuyd cu_yd cubic_yard;cuin cu_in cubic_inch/cubic_inches;L L litre;l L litre;ml mL millilitre;mL mL millilitre
hl hl hectolitre;USgal US_gal US_gallon;usgal US_gal US_gallon;impgal imp_gal imperial_gallon;gal gal gallon
USoz US_fl_oz US_fluid_ounce;impoz imp_fl_oz imperial_fluid_ounce;USbsh US_bsh US_bushel;oilbbl bbl barrel;bbl bbl barrel
kg kg kilogram;g g gram;mg mg milligram;t t tonne;tonne t tonne;tonnes t tonne;MT t metric_ton;LT long_tons long_ton
ST short_tons short_ton;ton tons ton;tons tons ton;lb lb pound;lbs lb pound;oz oz ounce;st st stone/stone;cwt cwt
ozt ozt troy_ounce;gr gr grain;kt kt kiloton;C °C degree_Celsius/degrees_Celsius;°C °C degree_Celsius/degrees_Celsius
F °F degree_Fahrenheit/degrees_Fahrenheit;°F °F degree_Fahrenheit/degrees_Fahrenheit;K K kelvin
C-change °C degree_Celsius/degrees_Celsius;F-change °F degree_Fahrenheit/degrees_Fahrenheit
km/h km/h kilometre_per_hour/kilometres_per_hour;kph km/h kilometre_per_hour/kilometres_per_hour
kmh km/h kilometre_per_hour/kilometres_per_hour;mph mph mile_per_hour/miles_per_hour;kn kn knot;knot kn knot;knots kn knot
m/s m/s metre_per_second/metres_per_second;ft/s ft/s foot_per_second/feet_per_second
km/s km/s kilometre_per_second/kilometres_per_second;kW kW kilowatt;W W watt;MW MW megawatt;GW GW gigawatt;hp hp horsepower/horsepower
bhp bhp brake_horsepower/brake_horsepower;shp shp shaft_horsepower/shaft_horsepower;ihp ihp indicated_horsepower/indicated_horsepower
PS PS metric_horsepower/metric_horsepower;kJ kJ kilojoule;J J joule;cal cal calorie;kcal kcal kilocalorie;kWh kWh kilowatt-hour
N.m N⋅m newton-metre;Nm N⋅m newton-metre;lbft lb⋅ft pound-foot/pound-feet;lb.ft lb⋅ft pound-foot/pound-feet;N N newton;kN kN kilonewton
lbf lbf pound-force/pounds-force;Pa Pa pascal;kPa kPa kilopascal;hPa hPa hectopascal;mbar mbar millibar;bar bar bar
atm atm standard_atmosphere;psi psi pound_per_square_inch/pounds_per_square_inch;inHg inHg inch_of_mercury/inches_of_mercury
PD/km2 /km² inhabitant_per_square_kilometre/inhabitants_per_square_kilometre;/km2 /km² per_square_kilometre/per_square_kilometre
PD/sqmi /sq_mi inhabitant_per_square_mile/inhabitants_per_square_mile;/sqmi /sq_mi per_square_mile/per_square_mile
m3/s m³/s cubic_metre_per_second/cubic_metres_per_second;cuft/s cu_ft/s cubic_foot_per_second/cubic_feet_per_second
kg/m3 kg/m³ kilogram_per_cubic_metre/kilograms_per_cubic_metre;g/cm3 g/cm³ gram_per_cubic_centimetre/grams_per_cubic_centimetre
L/100km L/100_km litre_per_100_kilometres/litres_per_100_kilometres;mpgus mpg_US;mpgimp mpg_imp;mpgUS mpg_US;h h hour;min min minute;s s second
"""
_NAMES: dict[str, tuple[str, str, str]] = {}
for _line in _UNITS.strip().replace("\n", ";").split(";"):
    _code, _symbol, *_names = _line.replace("\u00a0", " ").split(" ")
    _one, _, _many = (_names[0] if _names else _symbol).partition("/")
    _many = _many or (_one + "s" if _names and not _one.endswith("s") else _one)
    _NAMES[_code] = tuple(part.replace("_", " ") for part in (_symbol, _one, _many))  # type: ignore[assignment]

RANGES = {
    **{"-": "–", "–": "–", "&ndash;": "–", "to": "to", "and": "and", "or": "or", "by": "by", "x": "×", "×": "×"},
    **{"*": "×", "xx": "×", "+/-": "±", "±": "±", "+": "+", "to(-)": "–", "and(-)": "and", "to about": "to about"},
    **{"e": "–", "a": "–", "à": "–", "и": "–"},
}
"""What stands between two numbers of one measure, and how it is shown."""


def is_unit(code: str) -> bool:
    """Whether it is one of the codes."""
    return code in _NAMES


def unit_symbol(code: str) -> str:
    """As a reader sees it; of a code that is not known, the code."""
    return _NAMES[code][0] if code in _NAMES else code


def unit_name(code: str, value: str, singular: bool = False) -> str:
    """The English name behind a value, which decides between one and many; of a code that is not known, the code."""
    if code not in _NAMES:
        return code
    _, one, many = _NAMES[code]
    return one if singular or value.strip() == "1" else many
